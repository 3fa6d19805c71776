import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { catalogFault } from './catalog-fault.ts';

const CHUNK_BYTES = 256 * 1024;

/** Packed bytes handed over at once. What a socket gives, 64 KiB, costs a quarter more time to unpack. */
const SLAB_BYTES = 512 * 1024;

/** First bytes of gzip (RFC 1952 §2.3.1) and zstd (RFC 8878 §3.1.1) files. */
const GZIP = Buffer.of(0x1f, 0x8b);
const ZSTD = Buffer.of(0x28, 0xb5, 0x2f, 0xfd);

/** Takes chunks as they come; valid only during the call. */
export type ChunkTaker = (chunk: Uint8Array) => void;

async function* joined(
  head: readonly Uint8Array[],
  rest: AsyncIterator<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* head;
    for (let next = await rest.next(); next.done !== true; next = await rest.next()) yield next.value;
  } finally {
    await rest.return?.();
  }
}

async function* inSlabs(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let held: Uint8Array[] = [];
  let heldBytes = 0;
  for await (const chunk of source) {
    held.push(chunk);
    heldBytes += chunk.length;
    if (heldBytes < SLAB_BYTES) continue;
    yield Buffer.concat(held, heldBytes);
    held = [];
    heldBytes = 0;
  }
  if (heldBytes > 0) yield Buffer.concat(held, heldBytes);
}

function isUnpackError(error: unknown): boolean {
  if (!(error instanceof Error) || !('code' in error) || typeof error.code !== 'string') return false;
  return error.code.startsWith('Z_') || error.code.startsWith('ZSTD_') || error.code.startsWith('ERR_ZLIB');
}

/**
 * Unpacks a layer (gzip, zstd or plain, told by its first bytes, since media types are often wrong) and hands on
 * the bytes. What the source throws passes; a broken compression is CATALOG_INVALID naming `where`.
 */
export async function unpackLayer(
  source: AsyncIterable<Uint8Array>,
  where: string,
  take: ChunkTaker,
): Promise<void> {
  const chunks = source[Symbol.asyncIterator]();
  const head: Uint8Array[] = [];
  let known = 0;
  while (known < ZSTD.length) {
    const next = await chunks.next();
    if (next.done === true) break;
    head.push(next.value);
    known += next.value.length;
  }
  const magic = Buffer.concat(head).subarray(0, ZSTD.length);
  const packed = joined(head, chunks);
  const unpacker = magic.subarray(0, GZIP.length).equals(GZIP)
    ? createGunzip({ chunkSize: CHUNK_BYTES })
    : magic.equals(ZSTD)
      ? createZstdDecompress({ chunkSize: CHUNK_BYTES })
      : undefined;
  if (unpacker === undefined) {
    for await (const chunk of packed) take(chunk);
    return;
  }
  try {
    await pipeline(
      Readable.from(inSlabs(packed), { highWaterMark: 1 }),
      unpacker,
      async (unpacked: AsyncIterable<Uint8Array>) => {
        for await (const chunk of unpacked) take(chunk);
      },
    );
  } catch (error) {
    if (isUnpackError(error))
      throw catalogFault(where, 'a layer cannot be unpacked: its compression is broken', {}, error);
    throw error;
  }
}
