import { createHash } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';

/** What a worker is asked to hash, and what it answers: how far it is, then the end. */
export interface HashJob {
  readonly path: string;
  /** Bytes that count in place of the file's own; sorted, none over another. */
  readonly patches: readonly HashPatch[];
}

/** Bytes at an offset of a file, as if they were written there. */
export interface HashPatch {
  readonly offset: number;
  readonly bytes: Uint8Array;
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

/** Lays what of the patches falls into a piece of the file over it. */
function patch(piece: Buffer, start: number, patches: readonly HashPatch[]): void {
  const end = start + piece.length;
  for (const { offset, bytes } of patches) {
    const from = Math.max(start, offset);
    const to = Math.min(end, offset + bytes.length);
    if (from < to) piece.set(bytes.subarray(from - offset, to - offset), from - start);
  }
}

function hashFile(path: string, patches: readonly HashPatch[], tell: (bytes: number) => void): string {
  const hash = createHash('sha256');
  const file = openSync(path, 'r');
  try {
    let untold = 0;
    let start = 0;
    for (;;) {
      const bytes = readSync(file, buffer);
      if (bytes === 0) break;
      const piece = buffer.subarray(0, bytes);
      patch(piece, start, patches);
      start += bytes;
      hash.update(piece);
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

port?.on('message', ({ path, patches }: HashJob) => {
  let reply: HashReply;
  try {
    const hex = hashFile(path, patches, (bytes) =>
      port.postMessage({ kind: 'progress', bytes } satisfies HashReply),
    );
    reply = { kind: 'done', hex };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    reply = { kind: 'failed', code, message };
  }
  port.postMessage(reply);
});
