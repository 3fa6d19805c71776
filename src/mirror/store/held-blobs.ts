import { stat } from 'node:fs/promises';
import type { Digest } from '../../oci/digest.ts';
import type { LockedBlob } from '../resolve/lock.ts';
import { storePaths } from './store-paths.ts';

/** Finds which of the blobs a cache has, by name and size; `cache verify` is what hashes them again. */
export async function heldBlobs(root: string, blobs: readonly LockedBlob[]): Promise<ReadonlySet<Digest>> {
  const held = new Set<Digest>();
  for (const { digest, sizeBytes } of blobs) {
    const found = await stat(storePaths.blob(root, digest)).catch(() => undefined);
    if (found?.isFile() === true && found.size === sizeBytes) held.add(digest);
  }
  return held;
}
