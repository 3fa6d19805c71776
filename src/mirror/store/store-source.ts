import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../../errors.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { MAX_MANIFEST_BYTES } from '../../oci/manifest.ts';
import { formatReference, type ImageReference, repositoryOf } from '../../oci/reference.ts';
import type { BlobOpener, ManifestSource } from '../resolve/payload/content-sources.ts';
import { storePaths } from './store-paths.ts';

/**
 * Reads images out of a cache as if it were a registry, by digest only. Throws MANIFEST_UNKNOWN and BLOB_UNKNOWN for
 * what is not there, MANIFEST_DIGEST_MISMATCH for a manifest that is damaged.
 */
export function openStoreSource(root: string): ManifestSource & BlobOpener {
  return {
    getManifest: async (reference) => {
      const name = formatReference(reference);
      if (reference.digest === undefined)
        throw absent('MANIFEST_UNKNOWN', `${name}, which has no digest`, root);
      const bytes = await readManifest(storePaths.blob(root, reference.digest), name, root);
      const digest = digestOf(bytes);
      // The type is in the bytes: nobody sent one along.
      if (digest === reference.digest) return { bytes, mediaType: '', digest };
      throw new EdgefabError(`the manifest of ${name} in ${root} has digest ${digest}`, {
        code: 'MANIFEST_DIGEST_MISMATCH',
        place: { image: name },
      });
    },
    openBlob: async (repository: ImageReference, digest: Digest) => {
      const path = storePaths.blob(root, digest);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() !== true)
        throw absent('BLOB_UNKNOWN', `blob ${digest} of ${repositoryOf(repository)}`, root);
      return { stream: createReadStream(path), sizeBytes: found.size };
    },
  };
}

async function readManifest(path: string, name: string, root: string): Promise<Buffer> {
  try {
    const { size } = await stat(path);
    if (size <= MAX_MANIFEST_BYTES) return await readFile(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw absent('MANIFEST_UNKNOWN', `the manifest of ${name}`, root);
  }
  throw absent('MANIFEST_UNKNOWN', `a manifest of at most ${MAX_MANIFEST_BYTES} bytes for ${name}`, root);
}

function absent(code: 'MANIFEST_UNKNOWN' | 'BLOB_UNKNOWN', what: string, root: string): EdgefabError {
  return new EdgefabError(`the cache at ${root} does not hold ${what}`, { code });
}
