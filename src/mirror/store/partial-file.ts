import { createHash, type Hash } from 'node:crypto';
import { constants, type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import { type Digest, digestHex } from '../../oci/digest.ts';
import { asDiskFault } from './disk-fault.ts';
import {
  openPrefixSums,
  type PrefixSums,
  readTrustedPrefix,
  removePrefixSums,
  type TrustedPrefix,
} from './prefix-sums.ts';
import { syncFolder } from './write-file-durably.ts';

/**
 * Small reads off a socket are gathered to writes of this size. With what a socket's stream holds beside it, a
 * killed run loses less than 1 MiB a stream.
 */
const STEP_BYTES = 512 * 1024;
/** How much a power cut may cost, unless `syncEvery` says otherwise. */
const SYNC_BYTES = 16 * 1024 * 1024;

/** A file that is to arrive whole, and where its bytes wait until it has. Both paths are on one file system. */
export interface PartialTarget {
  /** Names it in errors. */
  readonly what: string;
  readonly partial: string;
  readonly path: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  /** Looks at the whole, flushed file before it gets its name; what it throws keeps the name from it. */
  readonly check?: (partial: string) => Promise<void>;
}

/** Takes one file's bytes, hashing them on their way to disk. `offset` is how much is there already. */
export interface PartialFile {
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
  /** Sets after how many bytes the partial is flushed: the most that a power cut costs. */
  syncEvery(bytes: number): void;
  /** Forgets what is there; used when a server will not continue or the bytes were wrong. */
  restart(): Promise<void>;
  /** Checks size and digest, flushes, and gives the file its final name. Wrong bytes are forgotten. */
  finish(): Promise<void>;
  /** Closes the file and keeps the partial for the next run; nothing after `finish`. */
  suspend(): Promise<void>;
}

/**
 * Opens a file for writing under the name of its partial. Of a partial of an earlier run, the part that its sums
 * vouch for is hashed again and continued; the rest is cut off. Throws BLOB_SIZE_MISMATCH as soon as more bytes
 * come than promised, BLOB_DIGEST_MISMATCH, BLOB_TRUNCATED, DISK_FULL, DISK_FAILED.
 */
export async function openPartialFile(target: PartialTarget): Promise<PartialFile> {
  const path = target.partial;
  try {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    try {
      const prefix = await readTrustedPrefix(file, path, target.sizeBytes);
      await file.truncate(prefix.offset);
      return new OpenPartial(target, file, prefix);
    } catch (error) {
      await file.close();
      throw error;
    }
  } catch (error) {
    throw asDiskFault(error, path);
  }
}

class OpenPartial implements PartialFile {
  readonly #target: PartialTarget;
  readonly #file: FileHandle;
  readonly #buffer: Buffer;
  #sums: PrefixSums | undefined;
  #records: number;
  #hash: Hash;
  #written: number;
  #pending = 0;
  #syncBytes = SYNC_BYTES;
  #unsynced = 0;
  #named = false;
  #state: 'open' | 'failed' | 'closed' = 'open';

  constructor(target: PartialTarget, file: FileHandle, prefix: TrustedPrefix) {
    this.#target = target;
    this.#file = file;
    this.#buffer = Buffer.allocUnsafeSlow(
      Math.min(STEP_BYTES, Math.max(1, target.sizeBytes - prefix.offset)),
    );
    this.#records = prefix.records;
    this.#hash = prefix.hash;
    this.#written = prefix.offset;
  }

  get offset(): number {
    return this.#written + this.#pending;
  }

  syncEvery(bytes: number): void {
    this.#syncBytes = bytes;
  }

  async write(chunk: Uint8Array): Promise<void> {
    if (this.offset + chunk.length > this.#target.sizeBytes) {
      throw new EdgefabError(
        `${this.#target.what} is longer than promised: got more than ${this.offset + chunk.length - 1} bytes, want ${this.#target.sizeBytes}`,
        { code: 'BLOB_SIZE_MISMATCH' },
      );
    }
    for (let at = 0; at < chunk.length; ) {
      const part = chunk.subarray(at, at + this.#buffer.length - this.#pending);
      this.#buffer.set(part, this.#pending);
      this.#pending += part.length;
      at += part.length;
      // The last step needs no record: the file's own digest is next.
      if (this.#pending === this.#buffer.length) await this.#drain(this.offset < this.#target.sizeBytes);
    }
  }

  /** Runs work on the disk; after a failure nothing more is written or trusted. */
  async #onDisk(work: () => Promise<unknown>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.#state = 'failed';
      throw asDiskFault(error, this.#target.partial);
    }
  }

  async #drain(withRecord: boolean): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#pending);
    await this.#onDisk(async () => {
      this.#hash.update(bytes);
      for (let at = 0; at < bytes.length; ) {
        at += (await this.#file.write(bytes, at, bytes.length - at, this.#written + at)).bytesWritten;
      }
      this.#written += bytes.length;
      this.#unsynced += bytes.length;
      this.#pending = 0;
      if (!withRecord || bytes.length === 0) return;
      this.#sums ??= await openPrefixSums(this.#target.partial, this.#records);
      await this.#sums.add(this.#written, this.#hash);
      if (this.#unsynced >= this.#syncBytes) await this.#sync();
    });
  }

  /** Makes the prefix and what vouches for it survive a power cut. */
  async #sync(): Promise<void> {
    try {
      await Promise.all([this.#file.datasync(), this.#sums?.sync()]);
    } catch (error) {
      // The kernel forgets what it could not flush, yet would read it back to us as if it were there.
      await this.#file.truncate(this.#written - this.#unsynced).catch(() => undefined);
      throw error;
    }
    this.#unsynced = 0;
    if (this.#named) return;
    await syncFolder(dirname(this.#target.partial));
    this.#named = true;
  }

  async restart(): Promise<void> {
    await this.#onDisk(async () => {
      this.#pending = 0;
      this.#hash = createHash('sha256');
      this.#written = 0;
      this.#records = 0;
      await this.#sums?.clear();
      await this.#file.truncate(0);
    });
  }

  async finish(): Promise<void> {
    if (this.offset < this.#target.sizeBytes) {
      throw new EdgefabError(
        `${this.#target.what} was cut short: got ${this.offset} of ${this.#target.sizeBytes} bytes`,
        { code: 'BLOB_TRUNCATED' },
      );
    }
    await this.#drain(false);
    const got = this.#hash.digest('hex');
    if (got !== digestHex(this.#target.digest)) {
      await this.restart();
      throw new EdgefabError(
        `${this.#target.what} has digest sha256:${got} after ${this.#target.sizeBytes} bytes`,
        {
          code: 'BLOB_DIGEST_MISMATCH',
          suggestions: [
            'Run the same command again; if it happens twice, the server or a proxy before it holds wrong bytes',
          ],
        },
      );
    }
    await this.#onDisk(async () => {
      await this.#file.datasync();
      await this.#close();
      await this.#target.check?.(this.#target.partial);
      await rename(this.#target.partial, this.#target.path);
      await syncFolder(dirname(this.#target.path));
      // Only now: a power cut before would leave a partial that nothing vouches for.
      if (this.#sums !== undefined || this.#records > 0) await removePrefixSums(this.#target.partial);
    });
  }

  async suspend(): Promise<void> {
    if (this.#state === 'closed') return;
    try {
      if (this.#state === 'open' && this.offset > 0) {
        await this.#drain(true);
        await this.#onDisk(() => this.#sync());
      }
    } finally {
      await this.#close();
    }
    if (this.#written > 0) return;
    await rm(this.#target.partial, { force: true });
    await removePrefixSums(this.#target.partial);
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    await this.#file.close().catch(() => undefined);
    await this.#sums?.close().catch(() => undefined);
  }
}
