import * as http from 'node:http';
import * as https from 'node:https';
import * as net from 'node:net';
import { onTestFinished } from 'vitest';
import type { MadeCertificate } from './made-certificate.ts';

export interface ForwardProxyOptions {
  /** Where names lead, HOST:PORT to HOST:PORT; what is not named gets 502. */
  readonly routes: Readonly<Record<string, string>>;
  /** USER:PASSWORD that must be sent. */
  readonly credentials?: string;
  /** What the proxy refuses a request with, or undefined to serve it. */
  readonly refuse?: (target: string) => number | undefined;
  /** Takes CONNECT and never answers. */
  readonly silent?: boolean;
  readonly tls?: MadeCertificate;
}

export interface ForwardProxyServer {
  /** 127.0.0.1:PORT */
  readonly host: string;
  /** `CONNECT host:port` and `GET http://host:port/path`, in order. */
  readonly forwarded: string[];
  /** Every Proxy-Authorization that came, and every request header of plain http. */
  readonly proxyAuthorizations: (string | undefined)[];
}

/** Starts a forward proxy on loopback that records what it forwards and finds hosts by a table of its own. */
export async function startForwardProxy(options: ForwardProxyOptions): Promise<ForwardProxyServer> {
  const { routes, credentials, refuse, silent = false, tls } = options;
  const forwarded: string[] = [];
  const proxyAuthorizations: (string | undefined)[] = [];
  const sockets = new Set<net.Socket>();
  const wanted =
    credentials === undefined ? undefined : `Basic ${Buffer.from(credentials).toString('base64')}`;

  /** The status to refuse with; 0 when the request is served. */
  function judge(line: string, target: string, authorization: string | undefined): number {
    proxyAuthorizations.push(authorization);
    if (wanted !== undefined && authorization !== wanted) return 407;
    forwarded.push(line);
    return refuse?.(target) ?? (routes[target] === undefined ? 502 : 0);
  }

  const listener: http.RequestListener = (request, response) => {
    const url = new URL(request.url ?? '/', 'http://no-proxy-request');
    const target = `${url.hostname}:${url.port || 80}`;
    const line = `${request.method} ${url.href}`;
    const status = judge(line, target, request.headers['proxy-authorization']);
    if (status !== 0) {
      response.writeHead(status).end('the proxy says no');
      return;
    }
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = http.request(
      `http://${routes[target]}${url.pathname}${url.search}`,
      { method: request.method ?? 'GET', headers },
      (answer) => {
        response.writeHead(answer.statusCode ?? 502, answer.headers);
        answer.pipe(response);
      },
    );
    onward.on('error', () => response.destroy());
    request.pipe(onward);
  };
  const server =
    tls === undefined
      ? http.createServer(listener)
      : https.createServer({ cert: tls.certificate, key: tls.key }, listener);
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.on('connect', (request, client) => {
    const target = request.url ?? '';
    const status = judge(`CONNECT ${target}`, target, request.headers['proxy-authorization']);
    if (silent) return;
    if (status !== 0) {
      client.end(`HTTP/1.1 ${status} No\r\ncontent-length: 0\r\n\r\n`);
      return;
    }
    const [host = '', port = ''] = (routes[target] ?? '').split(':');
    const upstream = net.connect(Number(port), host, () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.pipe(client);
      client.pipe(upstream);
    });
    sockets.add(upstream);
    upstream.on('error', () => client.destroy());
    client.on('error', () => upstream.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    host: `127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    forwarded,
    proxyAuthorizations,
  };
}
