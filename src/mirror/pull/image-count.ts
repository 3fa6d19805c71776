import type { Digest } from '../../oci/digest.ts';
import type { LockedImage } from '../resolve/lock.ts';

/** The name by which messages call an image. */
export function imageName(image: LockedImage): string {
  return `${image.source}@${image.digest}`;
}

/** The manifests of an image: its own, and that of the wanted architecture when it is a list. */
export function manifestsOf(image: LockedImage): readonly Digest[] {
  return image.digest === image.archDigest ? [image.digest] : [image.digest, image.archDigest];
}

/** Counts images as their last manifest or blob arrives. */
export interface ImageCount {
  readonly complete: number;
  arrived(digest: Digest): void;
}

/** Starts counting; `onImage` is told of each image that is complete. */
export function countImages(
  images: readonly LockedImage[],
  onImage: (image: string, done: number, total: number) => void,
): ImageCount {
  const missing = images.map(
    (image) => new Set([...manifestsOf(image), ...image.blobs.map((blob) => blob.digest)]),
  );
  const users = new Map<Digest, number[]>();
  for (const [at, digests] of missing.entries())
    for (const digest of digests) users.set(digest, [...(users.get(digest) ?? []), at]);
  let complete = 0;
  return {
    get complete() {
      return complete;
    },
    arrived(digest) {
      for (const at of users.get(digest) ?? []) {
        const left = missing[at];
        const image = images[at];
        if (left === undefined || image === undefined || !left.delete(digest) || left.size > 0) continue;
        complete += 1;
        onImage(imageName(image), complete, images.length);
      }
    },
  };
}
