import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';

/**
 * One line of `tmp/HEX.partial.sums`: it vouches for the first `offset` bytes of the partial.
 *
 * | bytes | what |
 * |---|---|
 * | 0–7 | offset, big endian |
 * | 8–39 | sha256 of the partial's bytes 0 to offset |
 */
const RECORD_BYTES = 40;
const DIGEST_AT = 8;
/** Enough for 200 GiB in steps of 512 KiB; what a file of ours never exceeds. */
const MAX_SUMS_BYTES = 16 * 1024 * 1024;
const READ_BYTES = 512 * 1024;

/** How much of a partial is what was once received: its hash so far, its length, the records that say so. */
export interface TrustedPrefix {
  readonly hash: Hash;
  readonly offset: number;
  readonly records: number;
}

/** Gives the path of the sums beside a partial. */
export function sumsPath(partialPath: string): string {
  return `${partialPath}.sums`;
}

async function readRecords(path: string): Promise<{ offset: number; digest: Buffer }[]> {
  let bytes: Buffer;
  try {
    const file = await open(path, 'r');
    try {
      const size = Math.min((await file.stat()).size, MAX_SUMS_BYTES);
      const read = await file.read(Buffer.alloc(size), 0, size, 0);
      bytes = read.buffer.subarray(0, read.bytesRead);
    } finally {
      await file.close();
    }
  } catch {
    return [];
  }
  const records: { offset: number; digest: Buffer }[] = [];
  for (let at = 0; at + RECORD_BYTES <= bytes.length; at += RECORD_BYTES) {
    records.push({
      offset: Number(bytes.readBigUInt64BE(at)),
      digest: bytes.subarray(at + DIGEST_AT, at + RECORD_BYTES),
    });
  }
  return records;
}

/**
 * Hashes a partial up to the last record that holds. What a power cut left behind it, torn, zeroed or missing,
 * is found here and not at the end of the blob, so it costs a step and not the whole.
 */
export async function readTrustedPrefix(
  partial: FileHandle,
  path: string,
  sizeBytes: number,
): Promise<TrustedPrefix> {
  const held = Math.min((await partial.stat()).size, sizeBytes);
  let trusted: TrustedPrefix = { hash: createHash('sha256'), offset: 0, records: 0 };
  if (held === 0) return trusted;
  const buffer = Buffer.allocUnsafe(READ_BYTES);
  for (const { offset, digest } of await readRecords(sumsPath(path))) {
    if (offset <= trusted.offset || offset > held) break;
    const hash = trusted.hash.copy();
    for (let at = trusted.offset; at < offset; ) {
      const { bytesRead } = await partial.read(buffer, 0, Math.min(buffer.length, offset - at), at);
      if (bytesRead === 0) return trusted;
      hash.update(buffer.subarray(0, bytesRead));
      at += bytesRead;
    }
    if (!hash.copy().digest().equals(digest)) break;
    trusted = { hash, offset, records: trusted.records + 1 };
  }
  return trusted;
}

/** Opens the sums of a partial for writing after the records that hold; the rest is cut off. */
export async function openPrefixSums(partialPath: string, records: number): Promise<PrefixSums> {
  const file = await open(sumsPath(partialPath), records === 0 ? 'w' : 'a', 0o644);
  if (records > 0) await file.truncate(records * RECORD_BYTES);
  return new PrefixSums(file);
}

/** Removes the sums of a partial. */
export async function removePrefixSums(partialPath: string): Promise<void> {
  await rm(sumsPath(partialPath), { force: true });
}

export class PrefixSums {
  readonly #file: FileHandle;

  constructor(file: FileHandle) {
    this.#file = file;
  }

  /** Vouches for the first `offset` bytes, whose hash is given. */
  async add(offset: number, hash: Hash): Promise<void> {
    const record = Buffer.alloc(RECORD_BYTES);
    record.writeBigUInt64BE(BigInt(offset));
    hash.copy().digest().copy(record, DIGEST_AT);
    await this.#file.write(record);
  }

  async clear(): Promise<void> {
    await this.#file.truncate(0);
  }

  async sync(): Promise<void> {
    await this.#file.datasync();
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}
