import { stat } from 'node:fs/promises';
import type { Digest } from '../../oci/digest.ts';
import { uniqueBlobs } from '../plan/plan.ts';
import type { Lock } from '../resolve/lock.ts';
import { storePaths } from './store-paths.ts';

/** Adds up what the partials of blobs that are not held yet occupy: the next run goes on from them. */
export async function partialBytes(root: string, lock: Lock, held: ReadonlySet<Digest>): Promise<number> {
  let bytes = 0;
  for (const { digest, sizeBytes } of uniqueBlobs(lock.images)) {
    if (held.has(digest)) continue;
    const found = await stat(storePaths.partial(root, digest)).catch(() => undefined);
    if (found !== undefined) bytes += Math.min(found.blocks * 512, found.size, sizeBytes);
  }
  return bytes;
}
