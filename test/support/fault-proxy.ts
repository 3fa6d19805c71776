import * as http from 'node:http';
import type { AddressInfo } from 'node:net';
import { onTestFinished } from 'vitest';

/** What is done to one answer; undefined lets it pass. */
export type Fault =
  | { readonly kind: 'corrupt' }
  | { readonly kind: 'truncate'; readonly afterBytes: number }
  | { readonly kind: 'status'; readonly status: number }
  /** Sends this many bytes, then nothing more, and keeps the line open. */
  | { readonly kind: 'stall'; readonly afterBytes: number };

export interface FaultProxy {
  readonly host: string;
  /** Paths asked for, in order. */
  readonly asked: string[];
}

/** Puts a proxy before a plain-http registry on loopback that damages the answers a rule picks. */
export async function startFaultProxy(
  upstream: string,
  rule: (path: string) => Fault | undefined | Promise<Fault | undefined>,
): Promise<FaultProxy> {
  const asked: string[] = [];
  const server = http.createServer((request, response) => {
    void (async () => {
      const path = request.url ?? '/';
      asked.push(path);
      const fault = await rule(path);
      if (fault?.kind === 'status') {
        response.writeHead(fault.status).end();
        return;
      }
      const onward = http.request(
        `http://${upstream}${path}`,
        { method: request.method, headers: request.headers },
        (answer) => {
          response.writeHead(answer.statusCode ?? 502, answer.headers);
          let sent = 0;
          answer.on('data', (chunk: Buffer) => {
            const bytes =
              fault?.kind === 'corrupt' && sent === 0
                ? Buffer.concat([Buffer.from([(chunk[0] ?? 0) ^ 1]), chunk.subarray(1)])
                : chunk;
            if (fault?.kind === 'truncate' && sent + bytes.length > fault.afterBytes) {
              response.write(bytes.subarray(0, Math.max(0, fault.afterBytes - sent)), () =>
                response.destroy(),
              );
              answer.destroy();
              return;
            }
            if (fault?.kind === 'stall' && sent + bytes.length > fault.afterBytes) {
              response.write(bytes.subarray(0, Math.max(0, fault.afterBytes - sent)));
              sent = Number.POSITIVE_INFINITY;
              return;
            }
            sent += bytes.length;
            response.write(bytes);
          });
          answer.on('end', () => {
            if (fault?.kind !== 'stall') response.end();
          });
          answer.on('error', () => response.destroy());
        },
      );
      onward.on('error', () => response.destroy());
      onward.end();
    })();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { host: `127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}
