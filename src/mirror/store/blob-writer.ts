import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import { type Digest, digestHex } from '../../oci/digest.ts';
import { asDiskFull } from './disk-full.ts';
import { storePaths } from './store-paths.ts';

/** Small reads off a socket are gathered to writes of this size. */
const WRITE_BYTES = 1024 * 1024;
/** How much may be lost to a power cut: the partial file is flushed this often. */
const FLUSH_BYTES = 16 * 1024 * 1024;

/** Takes one blob's bytes, hashing them on their way to disk. `offset` is how much is there already. */
export interface BlobWriter {
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
  /** Forgets what is there; used when a server will not continue or the bytes were wrong. */
  restart(): Promise<void>;
  /** Checks size and digest, flushes, and gives the blob its final name. Wrong bytes are deleted. */
  finish(): Promise<void>;
  /** Closes the file and keeps the partial for the next run. */
  suspend(): Promise<void>;
}

/**
 * Opens a blob for writing under `tmp/HEX.partial`. A partial of an earlier run is hashed again and continued.
 * Throws BLOB_SIZE_MISMATCH as soon as more bytes come than promised, BLOB_DIGEST_MISMATCH, BLOB_TRUNCATED,
 * DISK_FULL.
 */
export async function openBlobWriter(root: string, digest: Digest, sizeBytes: number): Promise<BlobWriter> {
  const path = storePaths.partial(root, digest);
  const file = await open(path, 'a+', 0o644);
  let state: { hash: Hash; offset: number };
  try {
    state = await hashPrefix(file, sizeBytes);
  } catch (error) {
    await file.close();
    throw error;
  }
  return new PartialBlob(root, digest, sizeBytes, file, state.hash, state.offset);
}

async function hashPrefix(file: FileHandle, sizeBytes: number): Promise<{ hash: Hash; offset: number }> {
  const held = (await file.stat()).size;
  if (held > sizeBytes) await file.truncate(0);
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(WRITE_BYTES);
  let offset = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, offset);
    if (bytesRead === 0) return { hash, offset };
    hash.update(buffer.subarray(0, bytesRead));
    offset += bytesRead;
  }
}

class PartialBlob implements BlobWriter {
  readonly #root: string;
  readonly #digest: Digest;
  readonly #sizeBytes: number;
  readonly #file: FileHandle;
  #hash: Hash;
  #hashed: number;
  #pending: Uint8Array[] = [];
  #pendingBytes = 0;
  #unflushed = 0;

  constructor(root: string, digest: Digest, sizeBytes: number, file: FileHandle, hash: Hash, offset: number) {
    this.#root = root;
    this.#digest = digest;
    this.#sizeBytes = sizeBytes;
    this.#file = file;
    this.#hash = hash;
    this.#hashed = offset;
  }

  get offset(): number {
    return this.#hashed;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.#hashed + chunk.length > this.#sizeBytes) {
      throw new EdgefabError(
        `blob ${this.#digest} is longer than promised: got more than ${this.#hashed + chunk.length - 1} bytes, want ${this.#sizeBytes}`,
        { code: 'BLOB_SIZE_MISMATCH' },
      );
    }
    this.#hash.update(chunk);
    this.#hashed += chunk.length;
    this.#pending.push(chunk);
    this.#pendingBytes += chunk.length;
    if (this.#pendingBytes >= WRITE_BYTES) await this.#drain();
  }

  async #drain(): Promise<void> {
    const chunks = this.#pending;
    this.#unflushed += this.#pendingBytes;
    this.#pending = [];
    this.#pendingBytes = 0;
    try {
      await this.#file.appendFile(Buffer.concat(chunks));
      if (this.#unflushed >= FLUSH_BYTES) {
        await this.#file.datasync();
        this.#unflushed = 0;
      }
    } catch (error) {
      throw asDiskFull(error, storePaths.partial(this.#root, this.#digest));
    }
  }

  async restart(): Promise<void> {
    this.#pending = [];
    this.#pendingBytes = 0;
    this.#hash = createHash('sha256');
    this.#hashed = 0;
    await this.#file.truncate(0);
  }

  async finish(): Promise<void> {
    await this.#drain();
    if (this.#hashed < this.#sizeBytes) {
      throw new EdgefabError(
        `blob ${this.#digest} was cut short: got ${this.#hashed} of ${this.#sizeBytes} bytes`,
        {
          code: 'BLOB_TRUNCATED',
        },
      );
    }
    const got = this.#hash.digest('hex');
    if (got !== digestHex(this.#digest)) {
      await rm(storePaths.partial(this.#root, this.#digest), { force: true });
      throw new EdgefabError(`blob ${this.#digest} has digest sha256:${got} after ${this.#hashed} bytes`, {
        code: 'BLOB_DIGEST_MISMATCH',
        suggestions: [
          'Run the same command again; if it happens twice, the registry or a proxy before it holds wrong bytes',
        ],
      });
    }
    await this.#file.datasync();
    await this.#file.close();
    await rename(storePaths.partial(this.#root, this.#digest), storePaths.blob(this.#root, this.#digest));
  }

  async suspend(): Promise<void> {
    try {
      await this.#drain();
    } finally {
      await this.#file.close().catch(() => undefined);
    }
  }
}
