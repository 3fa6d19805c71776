import { stat } from 'node:fs/promises';
import type { Digest } from '../../oci/digest.ts';
import { storePaths } from './store-paths.ts';

/**
 * Finds which of the blobs a cache has, by name and, where it is known, size; `cache verify` is what hashes them
 * again.
 */
export async function heldBlobs(
  root: string,
  blobs: readonly { readonly digest: Digest; readonly sizeBytes?: number }[],
): Promise<ReadonlySet<Digest>> {
  const held = new Set<Digest>();
  for (const { digest, sizeBytes } of blobs) {
    const found = await stat(storePaths.blob(root, digest)).catch(() => undefined);
    if (found?.isFile() === true && (sizeBytes === undefined || found.size === sizeBytes)) held.add(digest);
  }
  return held;
}
