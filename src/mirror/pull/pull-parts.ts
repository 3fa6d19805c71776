import type { BlobBody, FetchedManifest } from '../../oci/client.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageReference } from '../../oci/reference.ts';
import type { OnRetry } from '../../oci/retry.ts';
import type { LockedBlob } from '../resolve/lock.ts';
import type { RateLimit } from './rate-limit.ts';

/** What pulling needs of a registry client. */
export interface BlobSource {
  getManifest(
    reference: ImageReference,
    options?: { signal?: AbortSignal; onRetry?: OnRetry },
  ): Promise<FetchedManifest>;
  openBlob(
    repository: ImageReference,
    digest: Digest,
    options?: { offset?: number; signal?: AbortSignal; onRetry?: OnRetry },
  ): Promise<BlobBody>;
}

/** Where one blob's bytes go; what a store's blob writer happens to be. */
export interface BlobTarget {
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
  syncEvery(bytes: number): void;
  restart(): Promise<void>;
  finish(): Promise<void>;
  suspend(): Promise<void>;
}

/** What pulling needs of a store. */
export interface BlobSink {
  heldBlobs(blobs: readonly LockedBlob[]): Promise<ReadonlySet<Digest>>;
  openBlob(blob: LockedBlob): Promise<BlobTarget>;
  readManifest(digest: Digest): Promise<Uint8Array | undefined>;
  writeManifest(digest: Digest, bytes: Uint8Array): Promise<void>;
}

/** Bytes that came over the line, were found on disk, or were thrown away and must come again. */
export type ByteOrigin = 'network' | 'held' | 'lost';

/** What happens in a pull, beyond bytes. Waits are in milliseconds. */
export type PullEvent =
  | {
      readonly kind: 'retry';
      readonly what: string;
      readonly image: string;
      readonly reason: string;
      readonly waitMs: number;
    }
  | {
      readonly kind: 'blob';
      readonly digest: Digest;
      readonly sizeBytes: number;
      readonly done: number;
      readonly total: number;
    }
  | { readonly kind: 'image'; readonly image: string; readonly done: number; readonly total: number }
  | {
      readonly kind: 'failed';
      readonly what: string;
      readonly images: readonly string[];
      readonly reason: string;
    }
  | { readonly kind: 'streams'; readonly host: string; readonly width: number; readonly reason: string };

export interface PullOptions {
  /** The most transfers at once; fewer when a registry pushes back or more do not help. */
  readonly parallel: number;
  /** How often a transfer is tried again after a failure that may pass and brought nothing. */
  readonly retryTimes: number;
  readonly signal?: AbortSignal;
  /** Shared by all transfers; none when absent. */
  readonly rateLimit?: RateLimit;
  readonly onBytes?: (bytes: number, from: ByteOrigin) => void;
  readonly onEvent?: (event: PullEvent) => void;
  readonly now: () => Date;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}
