import type * as http from 'node:http';
import { sendRequest } from './http-request.ts';
import { followRedirects } from './redirect.ts';
import type { Transport } from './transport.ts';

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
  /** The strong ETag of what is there already: what has changed since comes whole (RFC 9110 §13.1.5). */
  readonly ifRange?: string | undefined;
  readonly signal: AbortSignal;
}

function discard(response: http.IncomingMessage): void {
  const length = Number(response.headers['content-length'] ?? Number.NaN);
  if (length <= SMALL_BODY_BYTES) response.resume();
  else response.destroy();
}

async function send(
  transport: Transport,
  url: URL,
  authorization: string | undefined,
  { offset, ifRange, signal }: BlobRequest,
): Promise<BlobAnswer> {
  const headers = {
    ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
    ...(offset > 0 && ifRange !== undefined ? { 'if-range': ifRange } : {}),
    ...(authorization === undefined ? {} : { authorization }),
  };
  const response = await sendRequest(transport, url, { method: 'GET', headers, signal });
  return {
    status: response.statusCode ?? 0,
    location: response.headers.location,
    response,
    discard: () => discard(response),
  };
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
