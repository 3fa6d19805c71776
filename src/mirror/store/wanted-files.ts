import type { Digest } from '../../oci/digest.ts';
import type { LockedImage } from '../resolve/lock.ts';

/** A file that a lock wants under `blobs/`, and the images (`SOURCE@DIGEST`) that need it. */
export interface WantedFile {
  readonly digest: Digest;
  /** Undefined for manifests: the lock does not say, the digest decides. */
  readonly sizeBytes: number | undefined;
  readonly images: readonly string[];
}

/** Lists every file of a lock once, manifests included, by digest. */
export function wantedFiles(images: readonly LockedImage[]): ReadonlyMap<Digest, WantedFile> {
  const files = new Map<Digest, { digest: Digest; sizeBytes: number | undefined; images: string[] }>();
  const need = (digest: Digest, sizeBytes: number | undefined, image: LockedImage): void => {
    const known = files.get(digest);
    const name = `${image.source}@${image.digest}`;
    if (known === undefined) files.set(digest, { digest, sizeBytes, images: [name] });
    else known.images.push(name);
  };
  for (const image of images) {
    for (const digest of new Set([image.digest, image.archDigest])) need(digest, undefined, image);
    for (const blob of image.blobs) need(blob.digest, blob.sizeBytes, image);
  }
  return files;
}
