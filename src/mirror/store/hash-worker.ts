import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

/** What a worker is asked to hash, and what it answers: how far it is, then the end. */
export interface HashJob {
  readonly path: string;
}
export type HashReply =
  | { readonly kind: 'progress'; readonly bytes: number }
  | { readonly kind: 'done'; readonly hex: string }
  | { readonly kind: 'failed'; readonly code: string; readonly message: string };

const BUFFER_BYTES = 1024 * 1024;
/** Telling about every buffer would cost more than hashing it. */
const TELL_BYTES = 16 * 1024 * 1024;

const port = parentPort;
const buffer = Buffer.allocUnsafe(BUFFER_BYTES);

function hashFile(path: string, tell: (bytes: number) => void): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    let untold = 0;
    for (;;) {
      const bytes = readSync(file, buffer);
      if (bytes === 0) break;
      hash.update(buffer.subarray(0, bytes));
      untold += bytes;
      if (untold < TELL_BYTES) continue;
      tell(untold);
      untold = 0;
    }
    tell(untold);
  } finally {
    closeSync(file);
  }
  return hash.digest('hex');
}

port?.on('message', ({ path }: HashJob) => {
  let reply: HashReply;
  try {
    const hex = hashFile(path, (bytes) => port.postMessage({ kind: 'progress', bytes } satisfies HashReply));
    reply = { kind: 'done', hex };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    reply = { kind: 'failed', code, message };
  }
  port.postMessage(reply);
});
