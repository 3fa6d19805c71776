import { basename, dirname } from 'node:path';
import { assertSpace } from '../../disk/cache/folder-space.ts';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { ByteOrigin } from '../../mirror/pull/pull-parts.ts';
import type { RateLimit } from '../../mirror/pull/rate-limit.ts';
import { openPartialFile, type PartialFile } from '../../mirror/store/partial-file.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { shownUrl } from '../../oci/failure.ts';
import {
  type DownloadState,
  discardDownload,
  loadDownloadState,
  writeDownloadState,
} from './download-state.ts';
import type { WebBody, WebClient } from './web-client.ts';

/** A file to fetch. Its digest is known before its first byte comes. */
export interface WantedDownload {
  readonly url: URL;
  readonly path: string;
  readonly digest: Digest;
  /** More than any such file has. */
  readonly maxBytes: number;
  /** Replaces a file of that name which is another one. */
  readonly overwrite: boolean;
  /** Looks at the whole file before it gets its name; what it throws keeps the name from it. */
  readonly check?: (partial: string) => Promise<void>;
}

export interface DownloadOptions {
  readonly retryTimes: number;
  readonly signal: AbortSignal;
  readonly rateLimit?: RateLimit;
  /** Told once the size is known, before the first byte. */
  readonly onStart?: (name: string, totalBytes: number) => void;
  /** Told when it is over, whole or not, if it was started. */
  readonly onEnd?: () => void;
  readonly onBytes?: (bytes: number, from: ByteOrigin) => void;
  readonly onRetry?: (name: string, error: EdgefabError, waitMs: number) => void;
}

/** A power cut costs no more than this. */
const SYNC_BYTES = 4 * 1024 * 1024;

/** A partial that is open, and what it is the beginning of. */
interface Held {
  readonly file: PartialFile;
  readonly state: DownloadState;
}

/** The way of one file from a server to its name on disk; `run` may be called again after a failure. */
export class Transfer {
  readonly #wanted: WantedDownload;
  readonly #web: WebClient;
  readonly #options: DownloadOptions;
  readonly #partial: string;
  readonly #name: string;
  readonly #urlDigest: Digest;
  #held: Held | undefined;
  #resumedAt = 0;
  #wasWrong = false;
  isStarted = false;
  fetchedBytes = 0;

  constructor(wanted: WantedDownload, web: WebClient, options: DownloadOptions) {
    this.#wanted = wanted;
    this.#web = web;
    this.#options = options;
    this.#partial = `${wanted.path}.partial`;
    this.#name = basename(wanted.path);
    this.#urlDigest = digestOf(Buffer.from(wanted.url.href));
  }

  /** Goes on from what is there to the end, once from the start when what was there turns out to be wrong. */
  async run(): Promise<void> {
    try {
      await this.#resume();
      do {
        while (!this.#isWhole()) await this.#receive();
      } while (!(await this.#finish()));
    } finally {
      // What arrived is kept as far as the disk lets it; the failure that brought us here is what is told.
      await this.#held?.file.suspend().catch(() => undefined);
      this.#held = undefined;
    }
  }

  async #resume(): Promise<void> {
    const state = await loadDownloadState(this.#partial, this.#wanted.digest);
    if (state === undefined) {
      await discardDownload(this.#partial);
      return;
    }
    const file = await this.#openPartial(state.sizeBytes);
    this.#held = { file, state };
    this.#resumedAt = file.offset;
    await assertSpace(dirname(this.#wanted.path), state.sizeBytes - file.offset);
    this.#start(state.sizeBytes, file.offset);
  }

  #isWhole(): boolean {
    return this.#held !== undefined && this.#held.file.offset === this.#held.state.sizeBytes;
  }

  async #receive(): Promise<void> {
    const offset = this.#held?.file.offset ?? 0;
    const body = await this.#open(offset);
    try {
      const totalBytes = this.#promised(body);
      const isSame = totalBytes === this.#held?.state.sizeBytes;
      if (offset > 0 && (!isSame || body.status === 200)) {
        this.#options.onBytes?.(offset, 'lost');
        this.#resumedAt = 0;
        await this.#held?.file.restart();
      }
      if (this.#held !== undefined && !isSame) await this.#discard();
      // Bytes from the middle of another file are of no use.
      if (!isSame && body.status === 206 && offset > 0) return;
      this.#held ??= await this.#begin(body, totalBytes);
      await this.#copy(body, this.#held.file);
    } finally {
      body.stream.destroy();
    }
  }

  /** Gives the file its name; false when it has to come again from the start. */
  async #finish(): Promise<boolean> {
    try {
      await this.#held?.file.finish();
      this.#held = undefined;
      await discardDownload(this.#partial);
      return true;
    } catch (error) {
      if (!hasCode(error, 'BLOB_DIGEST_MISMATCH')) throw error;
      const sizeBytes = this.#held?.state.sizeBytes ?? 0;
      await this.#discard();
      // Bytes of two runs may be of two files; bytes of one run will not get better.
      if (this.#resumedAt === 0 || this.#wasWrong) throw error;
      this.#wasWrong = true;
      this.#resumedAt = 0;
      this.#options.onBytes?.(sizeBytes, 'lost');
      this.#options.onRetry?.(this.#name, error as EdgefabError, 0);
      return false;
    }
  }

  async #discard(): Promise<void> {
    await this.#held?.file.suspend();
    this.#held = undefined;
    await discardDownload(this.#partial);
  }

  async #openPartial(sizeBytes: number): Promise<PartialFile> {
    const { path, digest, check } = this.#wanted;
    const what = `${this.#name} (${digest})`;
    const file = await openPartialFile({
      what,
      partial: this.#partial,
      path,
      digest,
      sizeBytes,
      ...(check === undefined ? {} : { check }),
    });
    file.syncEvery(SYNC_BYTES);
    return file;
  }

  async #open(offset: number): Promise<WebBody> {
    const { url } = this.#wanted;
    const { signal, onRetry } = this.#options;
    const state = this.#held?.state;
    // Another server has other tags for the same file.
    const ifRange = state?.url === this.#urlDigest ? state.etag : undefined;
    const body = await this.#web.open(url, {
      offset,
      ifRange,
      signal,
      ...(onRetry === undefined ? {} : { onRetry: (error, waitMs) => onRetry(this.#name, error, waitMs) }),
    });
    if (body !== undefined) return body;
    throw new EdgefabError(`server ${url.host} has no ${url.pathname}`, {
      code: 'DOWNLOAD_UNKNOWN',
      place: { url: shownUrl(url) },
      suggestions: ['Name the place that has it with --mirror (installer) or --iso-mirror (live ISO)'],
    });
  }

  /** The size of the whole, which bounds the work before it begins. */
  #promised({ totalBytes }: WebBody): number {
    const { url, maxBytes } = this.#wanted;
    if (totalBytes !== undefined && totalBytes > 0 && totalBytes <= maxBytes) return totalBytes;
    const why = totalBytes === undefined ? 'does not say how long' : `says that ${totalBytes} bytes long`;
    throw new EdgefabError(`server ${url.host} ${why} ${url.pathname} is, want at most ${maxBytes} bytes`, {
      code: 'DOWNLOAD_REFUSED',
      place: { url: shownUrl(url) },
    });
  }

  async #begin({ etag }: WebBody, sizeBytes: number): Promise<Held> {
    const { path, digest } = this.#wanted;
    await assertSpace(dirname(path), sizeBytes);
    const state = { url: this.#urlDigest, digest, sizeBytes, ...(etag === undefined ? {} : { etag }) };
    await writeDownloadState(this.#partial, state);
    this.#start(sizeBytes, 0);
    return { file: await this.#openPartial(sizeBytes), state };
  }

  #start(totalBytes: number, heldBytes: number): void {
    if (this.isStarted) return;
    this.isStarted = true;
    this.#options.onStart?.(this.#name, totalBytes);
    if (heldBytes > 0) this.#options.onBytes?.(heldBytes, 'held');
  }

  async #copy(body: WebBody, file: PartialFile): Promise<void> {
    const { signal, rateLimit, onBytes } = this.#options;
    let isEmpty = true;
    for await (const chunk of body.stream) {
      signal.throwIfAborted();
      const bytes = chunk as Uint8Array;
      await rateLimit?.take(bytes.length, signal);
      await file.write(bytes);
      this.fetchedBytes += bytes.length;
      onBytes?.(bytes.length, 'network');
      isEmpty = false;
    }
    if (isEmpty)
      throw new EdgefabError(`server ${this.#wanted.url.host} sent no byte of ${this.#name}`, {
        code: 'BLOB_TRUNCATED',
      });
  }
}
