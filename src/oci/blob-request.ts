import * as http from 'node:http';
import * as https from 'node:https';
import { stalled } from './failure.ts';
import { followRedirects } from './redirect.ts';
import { type Transport, USER_AGENT } from './transport.ts';

/** A body this small is read to its end, so that its connection can be used again. */
const SMALL_BODY_BYTES = 64 * 1024;

export interface BlobAnswer {
  readonly status: number;
  readonly location: string | undefined;
  readonly response: http.IncomingMessage;
  discard(): void;
}

export interface BlobRequest {
  readonly offset: number;
  readonly signal: AbortSignal;
}

function discard(response: http.IncomingMessage): void {
  const length = Number(response.headers['content-length'] ?? Number.NaN);
  if (length <= SMALL_BODY_BYTES) response.resume();
  else response.destroy();
}

/**
 * Sends one GET over node:http(s), not over fetch: undici 7 ends the process when a server closes a socket
 * while its reader is slow. Resolves when the headers are there.
 */
function send(
  transport: Transport,
  url: URL,
  authorization: string | undefined,
  { offset, signal }: BlobRequest,
): Promise<BlobAnswer> {
  return new Promise((resolve, reject) => {
    const secure = url.protocol === 'https:';
    const request = (secure ? https : http).get(url, {
      agent: secure ? transport.httpsAgent : transport.httpAgent,
      signal,
      headers: {
        'user-agent': USER_AGENT,
        // The digest is that of the stored bytes.
        'accept-encoding': 'identity',
        ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
        ...(authorization === undefined ? {} : { authorization }),
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
      resolve({
        status: response.statusCode ?? 0,
        location: response.headers.location,
        response,
        discard: () => discard(response),
      });
    });
  });
}

/** Asks for a blob, following redirects by our rules. Throws Node's errors as they are. */
export function requestBlob(
  transport: Transport,
  start: URL,
  authorization: string | undefined,
  request: BlobRequest,
): ReturnType<typeof followRedirects<BlobAnswer>> {
  return followRedirects(start, authorization, (url, allowed) => send(transport, url, allowed, request));
}

/** Reads the beginning of an answer's body, for what a server says about a refusal; ends the answer. */
export async function readBeginning(response: http.IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  // A server that never ends its error text must not hold us.
  const timer = setTimeout(() => response.destroy(), 5000);
  try {
    for await (const chunk of response) {
      chunks.push(chunk as Uint8Array);
      size += (chunk as Uint8Array).length;
      if (size >= SMALL_BODY_BYTES) break;
    }
  } catch {
    // What has arrived is enough: the status is the message.
  } finally {
    clearTimeout(timer);
  }
  return Buffer.concat(chunks).subarray(0, SMALL_BODY_BYTES);
}
