import type { BlobBody, FetchedManifest } from '../../oci/client.ts';
import type { Digest } from '../../oci/digest.ts';
import type { ImageReference } from '../../oci/reference.ts';
import type { LockedBlob } from '../resolve/lock.ts';

/** What pulling needs of a registry client. */
export interface BlobSource {
  getManifest(reference: ImageReference, options?: { signal?: AbortSignal }): Promise<FetchedManifest>;
  openBlob(
    repository: ImageReference,
    digest: Digest,
    options?: { offset?: number; signal?: AbortSignal },
  ): Promise<BlobBody>;
}

/** Where one blob's bytes go; what a store's blob writer happens to be. */
export interface BlobTarget {
  readonly offset: number;
  write(chunk: Uint8Array): Promise<void>;
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

export interface PullOptions {
  readonly parallel: number;
  /** How often a blob is tried again after a failure that may pass. */
  readonly retryTimes: number;
  readonly signal?: AbortSignal;
  /** Called with bytes as they arrive: from the network, or (`held`) found on disk and not fetched again. */
  readonly onBytes?: (bytes: number, from: 'network' | 'held') => void;
  readonly onBlob?: (done: number, total: number) => void;
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
}
