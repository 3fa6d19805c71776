import * as http from 'node:http';
import * as https from 'node:https';
import { stalled } from './failure.ts';
import { type Transport, USER_AGENT } from './transport.ts';

export interface HttpRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * Sends one request over node:http(s) and resolves when the headers of its answer are there. Not over fetch: undici 7
 * ends the process when a server closes a socket while its reader is slow. Not over got: it takes twice the
 * processor time for a manifest. Rejects with Node's errors as they are, and with a stall when no answer comes.
 */
export function sendRequest(
  transport: Transport,
  url: URL,
  { method, headers, body, signal }: HttpRequest,
): Promise<http.IncomingMessage> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const secure = url.protocol === 'https:';
    const request = (secure ? https : http).request(url, {
      method,
      agent: secure ? transport.httpsAgent : transport.httpAgent,
      ...(signal === undefined ? {} : { signal }),
      headers: {
        'user-agent': USER_AGENT,
        // The digest is that of the stored bytes.
        'accept-encoding': 'identity',
        ...headers,
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      },
    });
    const { stallTimeoutMs } = transport;
    const timer = setTimeout(() => request.destroy(stalled(stallTimeoutMs)), stallTimeoutMs);
    // Stays for good: an error may still come after the answer, and the body reports that one.
    request.on('error', (error) => {
      clearTimeout(timer);
      reject(error);
    });
    request.once('response', (response) => {
      clearTimeout(timer);
      response.on('error', () => {});
      resolve(response);
    });
    request.end(body);
  });
}
