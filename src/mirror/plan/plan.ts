import type { Digest } from '../../oci/digest.ts';
import type { LockedBlob, LockedImage } from '../resolve/lock.ts';

/** What a pull will cost, in bytes. `seconds` is there when a rate was given. */
export interface PullPlan {
  readonly images: number;
  readonly uniqueBlobs: number;
  /** Every blob once: what the cache disk ends up holding. */
  readonly uniqueBytes: number;
  /** Bytes a tool that fetches image by image would fetch again. */
  readonly duplicateBytes: number;
  readonly heldBytes: number;
  readonly fetchBytes: number;
  /** Space the run still takes on the cache disk: bytes to fetch and room for small files and views. */
  readonly spaceBytes: number;
  readonly seconds?: number;
}

/** A blob to hold, with the images it can be fetched from. */
export interface WantedBlob extends LockedBlob {
  readonly images: readonly LockedImage[];
}

/**
 * Folders, links and manifests of one image's views. Of six layers they take some 150 KiB on ext4, where each folder
 * and each symlink has a block, and less than half of that on XFS.
 */
export const VIEW_BYTES_PER_IMAGE = 256 * 1024;

/** Lists each blob once, largest first, then by digest so that the order never depends on the registry. */
export function uniqueBlobs(images: readonly LockedImage[]): WantedBlob[] {
  const byDigest = new Map<Digest, { digest: Digest; sizeBytes: number; images: LockedImage[] }>();
  for (const image of images) {
    for (const blob of image.blobs) {
      const known = byDigest.get(blob.digest);
      if (known === undefined) byDigest.set(blob.digest, { ...blob, images: [image] });
      else known.images.push(image);
    }
  }
  return [...byDigest.values()].sort((a, b) => b.sizeBytes - a.sizeBytes || (a.digest < b.digest ? -1 : 1));
}

/** Computes what is to be fetched. `held` are the blobs the store already has; `rate` is in bytes per second. */
export function planPull(images: readonly LockedImage[], held: ReadonlySet<Digest>, rate?: number): PullPlan {
  const blobs = uniqueBlobs(images);
  const sum = (list: readonly LockedBlob[]): number =>
    list.reduce((total, blob) => total + blob.sizeBytes, 0);
  const uniqueBytes = sum(blobs);
  const heldBytes = sum(blobs.filter((blob) => held.has(blob.digest)));
  const fetchBytes = uniqueBytes - heldBytes;
  return {
    images: images.length,
    uniqueBlobs: blobs.length,
    uniqueBytes,
    duplicateBytes: images.reduce((total, image) => total + image.sizeBytes, 0) - uniqueBytes,
    heldBytes,
    fetchBytes,
    spaceBytes: fetchBytes + images.length * VIEW_BYTES_PER_IMAGE,
    ...(rate === undefined ? {} : { seconds: fetchBytes / rate }),
  };
}
