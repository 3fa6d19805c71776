import { stat } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import type { Architecture } from '../../oci/architecture.ts';
import { type ImageManifest, parseManifest, selectPlatform } from '../../oci/manifest.ts';
import { atDigest, formatReference, type ImageReference } from '../../oci/reference.ts';
import type { ManifestSource } from '../resolve/payload/content-sources.ts';
import { storePaths } from './store-paths.ts';

/**
 * Looks for an image by its digest in a cache: its manifest, of a list that of one architecture, its config and
 * layers with their sizes. Returns what is missing first, in words; undefined when the image is whole. Bytes are not
 * hashed here: they were on their way in, and `cache verify` hashes them again.
 */
export async function explainIncomplete(
  root: string,
  reference: ImageReference,
  architecture: Architecture,
  source: ManifestSource,
): Promise<string | undefined> {
  let image: ImageManifest;
  try {
    image = await findImage(reference, architecture, source);
  } catch (error) {
    if (error instanceof EdgefabError) return error.message;
    throw error;
  }
  for (const { digest, sizeBytes } of [image.config, ...image.layers]) {
    const found = await stat(storePaths.blob(root, digest)).catch(() => undefined);
    if (found?.isFile() !== true) return `blob ${digest} is missing`;
    if (found.size !== sizeBytes) return `blob ${digest} has ${found.size} bytes, want ${sizeBytes}`;
  }
  return undefined;
}

async function findImage(
  reference: ImageReference,
  architecture: Architecture,
  source: ManifestSource,
): Promise<ImageManifest> {
  const where = formatReference(reference);
  const { bytes, mediaType } = await source.getManifest(reference);
  const top = parseManifest(bytes, mediaType, where);
  if (top.kind === 'image') return top;
  const child = atDigest(reference, selectPlatform(top, architecture, where).digest);
  const fetched = await source.getManifest(child);
  const parsed = parseManifest(fetched.bytes, fetched.mediaType, formatReference(child));
  if (parsed.kind === 'image') return parsed;
  throw new EdgefabError(`${where}: its ${architecture} entry is a list again, want an image`, {
    code: 'MANIFEST_INVALID',
    place: { image: where },
  });
}
