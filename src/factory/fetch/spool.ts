import { createHash } from 'node:crypto';
import type { FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Readable } from 'node:stream';
import { explainDiskTrouble } from '../../boot/iso/disk-trouble.ts';
import { writeFully } from '../../boot/iso/write-fully.ts';
import { assertSpace } from '../../disk/cache/folder-space.ts';
import { EdgefabError } from '../../errors.ts';
import { type Digest, parseDigest } from '../../oci/digest.ts';

/** Bytes that come once, and the open, empty file they go to. */
export interface Spooled {
  /** Names what comes, in messages. */
  readonly what: string;
  readonly stream: Readable;
  /** As far as whoever sends it says so. */
  readonly totalBytes: number | undefined;
  readonly maxBytes: number;
  readonly digest: Digest | undefined;
  readonly path: string;
  readonly file: FileHandle;
}

/** What a file system can leave out: the block size of nearly all of them. */
const BLOCK_BYTES = 4096;
const STEP_BYTES = 1024 * 1024;
const ZEROS = Buffer.alloc(BLOCK_BYTES);

/** Writes a chunk at an offset, leaving holes where whole blocks of it are zeros. */
async function writeSparsely(file: FileHandle, chunk: Buffer, offset: number): Promise<void> {
  let from = 0;
  for (let at = 0; at < chunk.length; ) {
    const end = Math.min(chunk.length, at + BLOCK_BYTES - ((offset + at) % BLOCK_BYTES));
    // Looked at whole only when it may be: most blocks begin with something else.
    if (chunk[at] === 0 && ZEROS.compare(chunk, at, end, 0, end - at) === 0) {
      await writeFully(file, chunk.subarray(from, at), offset + from);
      from = end;
    }
    at = end;
  }
  await writeFully(file, chunk.subarray(from), offset + from);
}

/** Gathers small pieces, as pipes and sockets give them: each write is a trip to another thread. */
async function* gather(stream: Readable): AsyncGenerator<Buffer> {
  const buffer = Buffer.allocUnsafe(STEP_BYTES);
  let length = 0;
  for await (const piece of stream) {
    let rest = piece as Buffer;
    while (rest.length > 0) {
      const taken = rest.copy(buffer, length);
      length += taken;
      rest = rest.subarray(taken);
      if (length < STEP_BYTES) continue;
      // Used again: whoever takes it is through with it when asking for the next.
      yield buffer;
      length = 0;
    }
  }
  if (length > 0) yield buffer.subarray(0, length);
}

function tooLarge({ what, maxBytes }: Spooled, bytes: number): EdgefabError {
  return new EdgefabError(`${what} has ${bytes} bytes or more, want at most ${maxBytes}`, {
    code: 'ISO_INVALID',
    suggestions: ['Use the CoreOS *live* ISO; real ones have 1 to 2 GB'],
  });
}

/**
 * Writes what comes once to a file, with holes for zeros, hashed on its way and bounded. The caller removes the file
 * when this throws: ISO_INVALID for too many bytes, BLOB_DIGEST_MISMATCH, SPACE_SHORT, DISK_FULL, and what the stream
 * throws.
 */
export async function spool(
  spooled: Spooled,
  { signal, onBytes }: { readonly signal: AbortSignal; readonly onBytes?: (bytes: number) => void },
): Promise<{ readonly sizeBytes: number; readonly digest: Digest }> {
  const { what, stream, totalBytes, maxBytes, path, file } = spooled;
  const hash = createHash('sha256');
  const stop = (): void => {
    stream.destroy();
  };
  signal.addEventListener('abort', stop, { once: true });
  let sizeBytes = 0;
  try {
    if (totalBytes !== undefined) {
      if (totalBytes > maxBytes) throw tooLarge(spooled, totalBytes);
      await assertSpace(dirname(path), totalBytes);
    }
    for await (const chunk of gather(stream)) {
      signal.throwIfAborted();
      if (sizeBytes + chunk.length > maxBytes) throw tooLarge(spooled, sizeBytes + chunk.length);
      hash.update(chunk);
      await writeSparsely(file, chunk, sizeBytes);
      sizeBytes += chunk.length;
      onBytes?.(chunk.length);
    }
    await file.truncate(sizeBytes);
  } catch (error) {
    signal.throwIfAborted();
    throw await explainDiskTrouble(error, path, totalBytes ?? sizeBytes);
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
  signal.throwIfAborted();
  const digest = parseDigest(`sha256:${hash.digest('hex')}`);
  if (spooled.digest !== undefined && spooled.digest !== digest) {
    throw new EdgefabError(`${what} has digest ${digest} after ${sizeBytes} bytes, want ${spooled.digest}`, {
      code: 'BLOB_DIGEST_MISMATCH',
      suggestions: ['Run again; if it happens twice, the source or the digest you gave is wrong'],
    });
  }
  return { sizeBytes, digest };
}
