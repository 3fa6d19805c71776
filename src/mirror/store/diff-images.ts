import { uniqueBlobs } from '../plan/plan.ts';
import type { LockedBlob, LockedImage } from '../resolve/lock.ts';
import { type ListedImage, listImages } from './list-images.ts';

/** What leads from one lock to another. Bytes are of unique configs and layers, manifests not counted. */
export interface ImagesDiff {
  readonly added: readonly ListedImage[];
  readonly removed: readonly ListedImage[];
  readonly kept: number;
  readonly addedBlobs: number;
  readonly addedBytes: number;
  readonly removedBlobs: number;
  readonly removedBytes: number;
  readonly sharedBytes: number;
}

/** Compares the images and blobs of two locks; an image is the same when its source and digest are. */
export function diffImages(before: readonly LockedImage[], after: readonly LockedImage[]): ImagesDiff {
  const key = ({ source, digest }: Pick<LockedImage, 'source' | 'digest'>): string => `${source}@${digest}`;
  const keysBefore = new Set(before.map(key));
  const keysAfter = new Set(after.map(key));
  const blobsBefore = uniqueBlobs(before);
  const blobsAfter = uniqueBlobs(after);
  const heldBefore = new Set(blobsBefore.map(({ digest }) => digest));
  const heldAfter = new Set(blobsAfter.map(({ digest }) => digest));
  const sum = (blobs: readonly LockedBlob[]): number =>
    blobs.reduce((bytes, { sizeBytes }) => bytes + sizeBytes, 0);
  const added = blobsAfter.filter(({ digest }) => !heldBefore.has(digest));
  const removed = blobsBefore.filter(({ digest }) => !heldAfter.has(digest));
  const listed = (images: readonly LockedImage[], other: ReadonlySet<string>): ListedImage[] =>
    listImages(images).filter((image) => !other.has(key(image)));
  return {
    added: listed(after, keysBefore),
    removed: listed(before, keysAfter),
    kept: [...keysAfter].filter((name) => keysBefore.has(name)).length,
    addedBlobs: added.length,
    addedBytes: sum(added),
    removedBlobs: removed.length,
    removedBytes: sum(removed),
    sharedBytes: sum(blobsAfter) - sum(added),
  };
}
