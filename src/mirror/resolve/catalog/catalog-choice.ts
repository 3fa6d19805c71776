import { compareVersions, parseVersion, type Version } from '../../../formats/semver.ts';
import type { Catalog, CatalogBundle, CatalogChannel, CatalogPackage } from './catalog.ts';
import { type PackageRequest, unknownContent } from './catalog-request.ts';
import { type ChannelGraph, channelGraph } from './channel-graph.ts';

/** Bundles chosen of one channel, each with why. */
export type ChannelChoice = ReadonlyMap<string, string>;

/** What is chosen of one package, by channel. */
export interface PackageChoice {
  readonly source: PackageSource;
  readonly defaultChannel: string;
  readonly channels: ReadonlyMap<string, ChannelChoice>;
}

export const HEAD = 'head of the channel';
const FULL = 'full';

/** A package with the look-ups that choosing needs; graphs are checked when first asked for. */
export class PackageSource {
  readonly where: string;
  readonly package: CatalogPackage;
  readonly bundles: ReadonlyMap<string, CatalogBundle>;
  readonly #versions = new Map<string, Version | undefined>();
  readonly #graphs = new Map<string, ChannelGraph>();

  constructor(catalog: Catalog, source: CatalogPackage) {
    this.where = catalog.where;
    this.package = source;
    this.bundles = new Map(source.bundles.map((bundle) => [bundle.name, bundle]));
  }

  get name(): string {
    return this.package.name;
  }

  channelNames(): string[] {
    return this.package.channels.map(({ name }) => name);
  }

  /** Throws CATALOG_CONTENT_UNKNOWN when the package has no such channel. */
  channel(name: string): CatalogChannel {
    const channel = this.package.channels.find((item) => item.name === name);
    if (channel === undefined)
      throw unknownContent(
        this.where,
        `channel "${name}" in package "${this.name}"`,
        name,
        this.channelNames(),
      );
    return channel;
  }

  /** Throws CATALOG_INVALID when the channel is not sound. */
  graph(name: string): ChannelGraph {
    const known = this.#graphs.get(name);
    if (known !== undefined) return known;
    const graph = channelGraph(this.channel(name), this.name, this.where);
    this.#graphs.set(name, graph);
    return graph;
  }

  /** The version of a bundle; undefined for names of which the package has no bundle. */
  version(bundleName: string): Version | undefined {
    if (this.#versions.has(bundleName)) return this.#versions.get(bundleName);
    const bundle = this.bundles.get(bundleName);
    const version = bundle === undefined ? undefined : parseVersion(bundle.version);
    this.#versions.set(bundleName, version);
    return version;
  }

  /** The versions of bundles, lowest first, for messages. */
  versionTexts(bundleNames: readonly string[]): string[] {
    const found = bundleNames.flatMap((name) => {
      const version = this.version(name);
      return version === undefined ? [] : { version, text: this.bundles.get(name)?.version ?? '' };
    });
    return found.sort((a, b) => compareVersions(a.version, b.version)).map(({ text }) => text);
  }

  head(channel: string): ChannelChoice {
    return new Map([[this.graph(channel).head.name, HEAD]]);
  }

  whole(channel: string): ChannelChoice {
    return new Map(this.channel(channel).entries.map(({ name }) => [name, FULL]));
  }
}

/** Finds the package a request names. Throws CATALOG_CONTENT_UNKNOWN. */
export function sourceOf(catalog: Catalog, request: PackageRequest): PackageSource {
  const source = catalog.packages.get(request.name);
  if (source === undefined)
    throw unknownContent(catalog.where, `package "${request.name}"`, request.name, [
      ...catalog.packages.keys(),
    ]);
  return new PackageSource(catalog, source);
}
