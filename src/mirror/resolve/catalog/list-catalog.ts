import { compareVersions, parseVersion } from '../../../formats/semver.ts';
import type { Catalog, CatalogBundle, CatalogPackage } from './catalog.ts';
import { sourceOf } from './catalog-choice.ts';
import { channelHeads } from './channel-graph.ts';

/** One package of a catalog, as `oc-mirror list operators --catalog` shows it. */
interface PackageRow {
  readonly name: string;
  readonly displayName: string;
  readonly defaultChannel: string;
}

/** One channel of a package; the head is undefined when the channel has none or several. */
interface ChannelRow {
  readonly package: string;
  readonly channel: string;
  readonly head: string | undefined;
}

/** One version of a channel. */
interface VersionRow {
  readonly version: string;
  readonly bundle: string;
}

/** The three listings, each only when it was asked for. */
export interface CatalogListing {
  readonly packages: readonly PackageRow[];
  readonly channels: readonly ChannelRow[];
  readonly versions: readonly VersionRow[];
}

function byVersion(a: { readonly version: string }, b: { readonly version: string }): number {
  const left = parseVersion(a.version);
  const right = parseVersion(b.version);
  return left === undefined || right === undefined ? 0 : compareVersions(left, right);
}

function packageRow({ name, defaultChannel, bundles }: CatalogPackage): PackageRow {
  const latest: CatalogBundle | undefined = bundles.toSorted(byVersion).at(-1);
  return { name, displayName: latest?.displayName ?? '', defaultChannel };
}

/**
 * Lists a catalog: all packages; of one package itself and its channels with their heads; of one channel its
 * versions, lowest first. Throws CATALOG_CONTENT_UNKNOWN with what exists and the nearest name.
 */
export function listCatalog(
  catalog: Catalog,
  { package: packageName, channel }: { readonly package?: string; readonly channel?: string } = {},
): CatalogListing {
  if (packageName === undefined) {
    const packages = [...catalog.packages.values()].map(packageRow);
    return { packages, channels: [], versions: [] };
  }
  const source = sourceOf(catalog, { name: packageName });
  if (channel !== undefined) {
    const versions = source
      .channel(channel)
      .entries.map(({ name }) => ({ version: source.bundles.get(name)?.version ?? '', bundle: name }));
    return {
      packages: [],
      channels: [],
      versions: versions.filter(({ version }) => version !== '').sort(byVersion),
    };
  }
  const channels = source.package.channels.map(({ name, entries }): ChannelRow => {
    const [head, ...others] = channelHeads(entries);
    return { package: packageName, channel: name, head: others.length === 0 ? head?.name : undefined };
  });
  return { packages: [packageRow(source.package)], channels, versions: [] };
}
