import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { EdgefabError } from '../errors.ts';
import { bareCause, stalled } from './failure.ts';

/**
 * Chunks of up to 64 KiB: enough for the network to go on while a disk syncs. Counted as objects, as a stream of
 * bytes would copy all that waits into one buffer at each read.
 */
const BUFFERED_CHUNKS = 4;

export interface BlobStreamOptions {
  /** Names the blob and its registry in errors. */
  readonly what: string;
  readonly expectedBytes: number | undefined;
  readonly stallTimeoutMs: number;
  readonly signal: AbortSignal;
}

/**
 * Opens a blob's body as a stream that ends in an error (BLOB_TRUNCATED) when fewer bytes come than promised,
 * the connection is cut, or nothing arrives for the stall time. Time during which the reader is slow does not
 * count: a USB stick may sync for minutes.
 */
export function openBlobStream(response: IncomingMessage, options: BlobStreamOptions): Readable {
  const { what, expectedBytes, stallTimeoutMs, signal } = options;
  let receivedBytes = 0;
  let timer: NodeJS.Timeout | undefined;

  const truncated = (cause: unknown): EdgefabError => {
    const promised = expectedBytes === undefined ? '' : ` of ${expectedBytes}`;
    return new EdgefabError(`${what} broke off after ${receivedBytes}${promised} bytes`, {
      code: 'BLOB_TRUNCATED',
      suggestions: ['Run again: what has arrived is kept'],
      ...(cause === undefined ? {} : { cause: bareCause(cause) }),
    });
  };
  const fail = (cause?: unknown): void => {
    stream.destroy(signal.aborted ? signal.reason : truncated(cause));
  };

  const stream = new Readable({
    objectMode: true,
    highWaterMark: BUFFERED_CHUNKS,
    read: () => {
      timer ??= setTimeout(() => fail(stalled(stallTimeoutMs)), stallTimeoutMs);
      response.resume();
    },
    destroy: (error, done) => {
      clearTimeout(timer);
      response.destroy();
      done(error);
    },
  });
  response.on('data', (chunk: Buffer) => {
    receivedBytes += chunk.length;
    timer?.refresh();
    if (stream.push(chunk)) return;
    clearTimeout(timer);
    timer = undefined;
    response.pause();
  });
  response.once('end', () => {
    clearTimeout(timer);
    if (response.complete && (expectedBytes === undefined || receivedBytes === expectedBytes))
      stream.push(null);
    else fail();
  });
  response.on('error', fail);
  // A connection can close without an error of its own.
  response.once('close', () => {
    if (!response.readableEnded && !stream.destroyed) fail();
  });
  response.pause();
  // It may break off before the reader comes, which the stream then tells that reader; unheard, it would end the process.
  stream.on('error', () => {});
  // It may have been cut before anyone listened here.
  if (response.destroyed && !response.complete) fail();
  return stream;
}
