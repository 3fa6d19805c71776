import type { Readable } from 'node:stream';
import type { Digest } from '../../../oci/digest.ts';
import type { ImageReference } from '../../../oci/reference.ts';

interface RequestOptions {
  readonly signal?: AbortSignal;
}

/** Gives manifests by tag or digest, as the registry sent them; MANIFEST_UNKNOWN where there is none. */
export interface ManifestSource {
  getManifest(
    reference: ImageReference,
    options?: RequestOptions,
  ): Promise<{ readonly bytes: Uint8Array; readonly mediaType: string; readonly digest: Digest }>;
}

/** Opens blobs; destroying the stream ends the transfer. Nobody has hashed its bytes yet. */
export interface BlobOpener {
  openBlob(
    repository: ImageReference,
    digest: Digest,
    options?: RequestOptions,
  ): Promise<{ readonly stream: Readable; readonly sizeBytes: number | undefined }>;
}
