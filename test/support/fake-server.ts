import * as http from 'node:http';
import * as https from 'node:https';
import type { AddressInfo } from 'node:net';
import type { MadeCertificate } from './made-certificate.ts';

export interface FakeRequest {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly range: string | undefined;
}

export interface FakeServer {
  /** 127.0.0.1:PORT */
  readonly host: string;
  readonly url: string;
  /** Everything that was asked, in order, `/v2/` pings left out. */
  readonly requests: FakeRequest[];
  close(): Promise<void>;
}

/** Answers one request, or leaves it hanging. */
export type FakeHandler = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
) => void | Promise<void>;

/** Starts a server on loopback that behaves as badly as a test wants. */
export async function startFakeServer(handler: FakeHandler, tls?: MadeCertificate): Promise<FakeServer> {
  const requests: FakeRequest[] = [];
  const listener: http.RequestListener = (request, response) => {
    const { method = '', url = '', headers } = request;
    if (url !== '/v2/')
      requests.push({ method, path: url, authorization: headers.authorization, range: headers.range });
    void handler(request, response);
  };
  const server =
    tls === undefined
      ? http.createServer(listener)
      : https.createServer({ cert: tls.certificate, key: tls.key }, listener);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  return {
    host,
    url: `${tls === undefined ? 'http' : 'https'}://${host}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
