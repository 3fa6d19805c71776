import type { ReleaseVersion } from '../../formats/release-version.ts';
import type { Architecture } from '../../oci/architecture.ts';
import { parseReference } from '../../oci/reference.ts';
import type { OperatorWish } from '../imageset/operator-wish.ts';
import { operatorCatalog } from '../imageset/release-sources.ts';
import type { Catalog } from './catalog/catalog.ts';
import { pinOperator } from './catalog/pin-operator.ts';
import { loadCatalog } from './catalog-images.ts';
import type { BlobOpener, ManifestSource } from './payload/content-sources.ts';

/**
 * Asks the catalogs of a release for the channel and version each operator stands for today, so that an image set
 * says one version of each. Each catalog is read once. Throws what reading catalogs throws, CATALOG_CONTENT_UNKNOWN.
 */
export async function pinOperators(
  wishes: readonly OperatorWish[],
  release: ReleaseVersion,
  sources: ManifestSource & BlobOpener,
  options: { readonly architecture: Architecture; readonly signal?: AbortSignal },
): Promise<OperatorWish[]> {
  const catalogs = new Map<string, Catalog>();
  const pinned: OperatorWish[] = [];
  for (const wish of wishes) {
    const image = operatorCatalog(wish.catalog, release);
    const catalog = catalogs.get(image) ?? (await loadCatalog(parseReference(image), sources, options));
    catalogs.set(image, catalog);
    pinned.push({ ...wish, ...pinOperator(catalog, wish) });
  }
  return pinned;
}
