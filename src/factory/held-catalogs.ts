import pLimit from 'p-limit';
import { CATALOG_LABEL } from '../mirror/resolve/catalog/catalog-folder.ts';
import type { Lock, LockedImage } from '../mirror/resolve/lock.ts';
import { fetchImageConfig } from '../mirror/resolve/payload/image-config.ts';
import { openStoreSource } from '../mirror/store/store-source.ts';
import { parseManifest } from '../oci/manifest.ts';
import { formatReference, parseReference } from '../oci/reference.ts';

/** Tells which operator images of a cache are catalogs, by the label in their configs. */
export async function heldCatalogs(root: string, lock: Lock): Promise<(image: LockedImage) => boolean> {
  const source = openStoreSource(root);
  const limit = pLimit(8);
  // A signature has no labels, and nobody runs it.
  const signatures = new Set(lock.images.flatMap((image) => image.signatures ?? []));
  const found = await Promise.all(
    lock.images
      .filter(({ roles, digest }) => roles.includes('operator') && !signatures.has(digest))
      .map((image) =>
        limit(async () => {
          const reference = parseReference(`${image.source}@${image.archDigest}`);
          const where = formatReference(reference);
          const { bytes, mediaType } = await source.getManifest(reference);
          const manifest = parseManifest(bytes, mediaType, where);
          if (manifest.kind !== 'image') return [];
          const { labels } = await fetchImageConfig(manifest.config, source, {
            repository: reference,
            where,
          });
          return labels[CATALOG_LABEL] === undefined ? [] : [image];
        }),
      ),
  );
  const catalogs = new Set(found.flat());
  return (image) => catalogs.has(image);
}
