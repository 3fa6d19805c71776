import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** What is done to one answer; undefined lets it pass. */
export type Fault =
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  /** Cuts the connection with an RST after this many bytes. */
  | { readonly kind: 'reset'; readonly afterBytes: number }
  | {
      readonly kind: 'status';
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
    }
  /** Sends this many bytes, then nothing more, and keeps the line open. */
  | { readonly kind: 'stall'; readonly afterBytes: number }
  /** Never sends more than these bytes each 10 ms. */
  | { readonly kind: 'drip'; readonly bytes: number }
  /** Promises so many bytes more than there are, or fewer. */
  | { readonly kind: 'length'; readonly more: number }
  /** Answers a Range request with 200 and everything. */
  | { readonly kind: 'no-range' }
  | { readonly kind: 'redirect'; readonly to: string };

/** One request as the proxy saw it; `attempt` counts the requests for this blob or manifest from 1. */
export interface ProxiedRequest {
  readonly range: string | undefined;
  readonly authorization: string | undefined;
  readonly attempt: number;
}

export interface FaultProxy {
  readonly host: string;
  /** Paths asked for, in order. */
  readonly asked: string[];
  /** Bytes of bodies handed to the client's connections. */
  readonly sentBytes: number;
  /** Blob bodies under way at once, at most. */
  readonly mostAtOnce: number;
  /** Cuts every connection there is. */
  cutAll(): void;
}

export type FaultRule = (
  path: string,
  request: ProxiedRequest,
) => Fault | undefined | Promise<Fault | undefined>;

/** Puts a proxy before a plain-http registry on loopback that damages the answers a rule picks. */
export async function startFaultProxy(upstream: string, rule: FaultRule): Promise<FaultProxy> {
  const asked: string[] = [];
  const attempts = new Map<string, number>();
  let sentBytes = 0;
  let atOnce = 0;
  let mostAtOnce = 0;

  const relay = (
    answer: http.IncomingMessage,
    response: http.ServerResponse,
    fault: Fault | undefined,
  ): void => {
    const headers = { ...answer.headers };
    if (fault?.kind === 'length')
      headers['content-length'] = String(Number(headers['content-length']) + fault.more);
    response.writeHead(answer.statusCode ?? 502, headers);
    let sent = 0;
    let dripping = Promise.resolve();
    const send = (bytes: Buffer, done?: () => void): void => {
      sentBytes += bytes.length;
      // A slow reader slows the registry, as it would without a proxy.
      if (!response.write(bytes, done)) {
        answer.pause();
        response.once('drain', () => answer.resume());
      }
    };
    answer.on('data', (chunk: Buffer) => {
      const ends = fault?.kind === 'truncate' || fault?.kind === 'reset' || fault?.kind === 'stall';
      if (ends && sent + chunk.length > fault.afterBytes) {
        const rest = chunk.subarray(0, Math.max(0, fault.afterBytes - sent));
        sent = Number.POSITIVE_INFINITY;
        answer.removeAllListeners('data').resume();
        if (fault.kind === 'stall') send(rest);
        else if (fault.kind === 'truncate') send(rest, () => response.destroy());
        // A moment, so that the bytes are out before the RST takes them back.
        else send(rest, () => void setTimeout(() => response.socket?.resetAndDestroy(), 20));
        return;
      }
      if (fault?.kind === 'corrupt' && sent === 0) chunk[0] = (chunk[0] ?? 0) ^ 1;
      sent += chunk.length;
      if (fault?.kind === 'drip') {
        dripping = dripping.then(async () => {
          for (let at = 0; at < chunk.length && !response.destroyed; at += fault.bytes) {
            send(chunk.subarray(at, at + fault.bytes));
            await delay(10);
          }
        });
        return;
      }
      if (fault?.kind === 'length' && fault.more < 0) {
        const room = Number(headers['content-length']) - (sent - chunk.length);
        send(chunk.subarray(0, Math.max(0, room)));
        return;
      }
      send(chunk);
    });
    answer.on('end', () => {
      if (fault?.kind === 'stall') return;
      if (fault?.kind === 'length' && fault.more > 0) response.destroy();
      else if (sent !== Number.POSITIVE_INFINITY) void dripping.then(() => response.end());
    });
    answer.on('error', () => response.destroy());
  };

  const server = http.createServer((request, response) => {
    void (async () => {
      const path = request.url ?? '/';
      asked.push(path);
      const what = path.slice(path.lastIndexOf('/'));
      const attempt = (attempts.get(what) ?? 0) + 1;
      attempts.set(what, attempt);
      const { range, authorization } = request.headers;
      const fault = await rule(path, { range, authorization, attempt });
      if (fault?.kind === 'status') {
        response.writeHead(fault.status, fault.headers).end();
        return;
      }
      if (fault?.kind === 'redirect') {
        response.writeHead(307, { location: fault.to }).end();
        return;
      }
      if (path.includes('/blobs/')) {
        atOnce += 1;
        mostAtOnce = Math.max(mostAtOnce, atOnce);
        response.once('close', () => {
          atOnce -= 1;
        });
      }
      const headers = { ...request.headers };
      if (fault?.kind === 'no-range') delete headers.range;
      const onward = http.request(
        `http://${upstream}${path}`,
        { method: request.method, headers },
        (answer) => relay(answer, response, fault),
      );
      onward.on('error', () => response.destroy());
      response.once('close', () => onward.destroy());
      onward.end();
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    cutAll: () => server.closeAllConnections(),
    get sentBytes() {
      return sentBytes;
    },
    get mostAtOnce() {
      return mostAtOnce;
    },
  };
}
