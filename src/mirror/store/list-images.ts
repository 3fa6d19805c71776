import type { Digest } from '../../oci/digest.ts';
import { uniqueBlobs } from '../plan/plan.ts';
import type { ImageRole, LockedImage } from '../resolve/lock.ts';

/** One image of a cache as people ask for it. Bytes are of configs and layers, manifests not counted. */
export interface ListedImage {
  /** SOURCE:TAG, or SOURCE@DIGEST where there is no tag. */
  readonly name: string;
  readonly source: string;
  readonly digest: Digest;
  readonly roles: readonly ImageRole[];
  readonly sizeBytes: number;
  /** Bytes no other image shares: what leaving this one out would save. */
  readonly uniqueBytes: number;
  readonly requiredBy: readonly string[];
}

/** Lists the images of a lock by name. */
export function listImages(images: readonly LockedImage[]): ListedImage[] {
  const alone = new Set(
    uniqueBlobs(images)
      .filter((blob) => new Set(blob.images).size === 1)
      .map(({ digest }) => digest),
  );
  return images
    .map(({ source, tag, digest, roles, sizeBytes, blobs, requiredBy }) => {
      const own = new Map(
        blobs.filter((blob) => alone.has(blob.digest)).map((blob) => [blob.digest, blob.sizeBytes]),
      );
      return {
        name: tag === undefined ? `${source}@${digest}` : `${source}:${tag}`,
        source,
        digest,
        roles,
        sizeBytes,
        uniqueBytes: [...own.values()].reduce((sum, bytes) => sum + bytes, 0),
        requiredBy,
      };
    })
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}
