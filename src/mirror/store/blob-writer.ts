import type { Digest } from '../../oci/digest.ts';
import { openPartialFile, type PartialFile } from './partial-file.ts';
import { storePaths } from './store-paths.ts';

/** Takes one blob's bytes, hashing them on their way to disk. */
export type BlobWriter = PartialFile;

/** Opens a blob for writing under `tmp/HEX.partial`. Throws what opening a partial file throws. */
export async function openBlobWriter(root: string, digest: Digest, sizeBytes: number): Promise<BlobWriter> {
  return await openPartialFile({
    what: `blob ${digest}`,
    partial: storePaths.partial(root, digest),
    path: storePaths.blob(root, digest),
    digest,
    sizeBytes,
  });
}
