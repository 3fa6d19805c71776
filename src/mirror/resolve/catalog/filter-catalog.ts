import { byName, type Catalog } from './catalog.ts';
import { HEAD, type PackageChoice, PackageSource } from './catalog-choice.ts';
import { catalogFault } from './catalog-fault.ts';
import { badRequest, type CatalogRequest, type CatalogSemantics } from './catalog-request.ts';
import { filterV1alpha2 } from './filter-v1alpha2.ts';
import { filterV2alpha1 } from './filter-v2alpha1.ts';
import { followDependencies } from './follow-dependencies.ts';

/** A chosen bundle and why it was chosen, in words. */
interface SelectedBundle {
  readonly name: string;
  readonly version: string;
  readonly reason: string;
}

interface SelectedChannel {
  readonly name: string;
  readonly bundles: readonly SelectedBundle[];
}

interface SelectedPackage {
  readonly name: string;
  /** The default channel of the package as filtered; empty when the catalog names none. */
  readonly defaultChannel: string;
  readonly channels: readonly SelectedChannel[];
  /** Bundles in no channel: only of a whole catalog taken in full. */
  readonly unchannelled: readonly SelectedBundle[];
}

/** An image as the catalog writes it, with the bundles that need it: `operator lvms-operator.v4.13.1`. */
interface SelectedImage {
  readonly image: string;
  readonly kind: 'bundle' | 'related';
  readonly requiredBy: readonly string[];
}

/** What a request takes of a catalog; all lists sorted by name, images once each. */
export interface CatalogSelection {
  readonly packages: readonly SelectedPackage[];
  readonly images: readonly SelectedImage[];
}

const WHOLE = 'whole catalog in full';

/** Takes everything, sound or not, as both oc-mirrors do. */
function wholeCatalog(catalog: Catalog): SelectedPackage[] {
  return [...catalog.packages.values()].map((item) => {
    const source = new PackageSource(catalog, item);
    const channels = new Map(item.channels.map(({ name }) => [name, source.whole(name)]));
    const selected = selectedPackage({ source, defaultChannel: item.defaultChannel, channels });
    const inChannels = new Set(item.channels.flatMap(({ entries }) => entries.map(({ name }) => name)));
    const unchannelled = item.bundles
      .filter(({ name }) => !inChannels.has(name))
      .map(({ name, version }) => ({ name, version, reason: WHOLE }));
    return { ...selected, unchannelled };
  });
}

function selectedPackage({ source, defaultChannel, channels }: PackageChoice): SelectedPackage {
  const selected = [...channels].map(([name, choice]): SelectedChannel => {
    const bundles = [...choice].flatMap(([bundleName, reason]) => {
      const version = source.bundles.get(bundleName)?.version;
      if (version !== undefined) return { name: bundleName, version, reason };
      if (reason === HEAD)
        throw catalogFault(
          source.where,
          `package "${source.name}", channel "${name}": its head "${bundleName}" has no olm.bundle document`,
        );
      // A name that only other entries mention, or an entry without a bundle: there is no image to take.
      return [];
    });
    return { name, bundles: bundles.sort(byName) };
  });
  return { name: source.name, defaultChannel, channels: selected.sort(byName), unchannelled: [] };
}

function imagesOf(catalog: Catalog, packages: readonly SelectedPackage[]): SelectedImage[] {
  const images = new Map<string, { kind: 'bundle' | 'related'; requiredBy: Set<string> }>();
  const need = (image: string, kind: 'bundle' | 'related', bundle: string): void => {
    if (image === '') return;
    const known = images.get(image) ?? { kind, requiredBy: new Set<string>() };
    known.requiredBy.add(`operator ${bundle}`);
    if (kind === 'bundle') known.kind = kind;
    images.set(image, known);
  };
  for (const { name, channels, unchannelled } of packages) {
    const chosen = new Set(
      [...channels.flatMap(({ bundles }) => bundles), ...unchannelled].map((item) => item.name),
    );
    for (const bundle of catalog.packages.get(name)?.bundles ?? []) {
      if (!chosen.has(bundle.name)) continue;
      need(bundle.image, 'bundle', bundle.name);
      for (const { image } of bundle.relatedImages) need(image, 'related', bundle.name);
    }
  }
  return [...images]
    .map(([image, { kind, requiredBy }]) => ({ image, kind, requiredBy: [...requiredBy].sort() }))
    .sort((a, b) => (a.image < b.image ? -1 : 1));
}

/**
 * Chooses bundles of a catalog and names their images, by the rules of the oc-mirror whose apiVersion the
 * ImageSetConfiguration has. Throws CATALOG_CONTENT_UNKNOWN for packages, channels, versions and bundles that do
 * not exist, CATALOG_FILTER_INVALID for requests that contradict themselves or break a channel, CATALOG_INVALID
 * for channels with no head, several, or a circle.
 */
export function filterCatalog(
  catalog: Catalog,
  request: CatalogRequest,
  semantics: CatalogSemantics,
): CatalogSelection {
  const names = (request.packages ?? []).map(({ name }) => name);
  const twice = names.find((name, at) => names.indexOf(name) !== at);
  if (twice !== undefined) throw badRequest(catalog.where, `package "${twice}" is listed twice`);
  if (request.full === true && names.length === 0) {
    const packages = wholeCatalog(catalog);
    return { packages, images: imagesOf(catalog, packages) };
  }
  const chosen =
    semantics === 'v1alpha2' ? filterV1alpha2(catalog, request) : filterV2alpha1(catalog, request);
  const choices = request.followDependencies === true ? followDependencies(catalog, chosen) : chosen;
  const packages = choices.map(selectedPackage).sort(byName);
  return { packages, images: imagesOf(catalog, packages) };
}
