import { compareVersions, inRange, parseVersionRange, type Version } from '../../../formats/semver.ts';
import type { Catalog, CatalogBundle } from './catalog.ts';
import { type ChannelChoice, type PackageChoice, PackageSource } from './catalog-choice.ts';
import { catalogFault } from './catalog-fault.ts';
import { updatePath } from './update-path.ts';

/** A bundle in one of its channels, and which need of others it meets. */
interface Provider {
  readonly channel: string;
  readonly bundle: CatalogBundle;
  readonly version: Version;
  readonly meets: string;
}

/** What a set of bundles needs and has not yet found. */
interface Needs {
  readonly apis: Set<string>;
  readonly packages: Map<string, Set<string>>;
}

function needsOf(bundles: Iterable<CatalogBundle>): Needs {
  const apis = new Set<string>();
  const packages = new Map<string, Set<string>>();
  for (const bundle of bundles) {
    for (const api of bundle.requires) apis.add(api);
    for (const { name, range = '' } of bundle.requiredPackages) {
      packages.set(name, (packages.get(name) ?? new Set()).add(range));
    }
  }
  return { apis, packages };
}

/** Orders by version; of equal ones a bundle of the default channel comes last, and so is taken. */
function byVersion(defaultChannel: string): (a: Provider, b: Provider) => number {
  return (a, b) =>
    compareVersions(a.version, b.version) ||
    Number(a.channel === defaultChannel) - Number(b.channel === defaultChannel);
}

/** Finds a package's latest bundle for each need it can meet; an API once met is not looked for in other packages. */
function providersIn(source: PackageSource, needs: Needs): Provider[] {
  const byNeed = new Map<string, Provider[]>();
  const ranges = [...(needs.packages.get(source.name) ?? [])].map((text) => {
    const range = text === '' ? undefined : parseVersionRange(text);
    if (text !== '' && range === undefined)
      throw catalogFault(
        source.where,
        `a bundle requires package "${source.name}" in versions "${text}", no range`,
      );
    return { range, meets: `required package ${source.name} ${text}`.trim() };
  });
  for (const { name: channel, entries } of source.package.channels) {
    for (const { name } of entries) {
      const bundle = source.bundles.get(name);
      const version = source.version(name);
      if (bundle === undefined || version === undefined) continue;
      const apis = bundle.provides.filter((api) => needs.apis.has(api)).map((api) => `required API ${api}`);
      const fitting = ranges.filter(({ range }) => range === undefined || inRange(version, range));
      for (const meets of [...apis, ...fitting.map((item) => item.meets)]) {
        byNeed.set(meets, [...(byNeed.get(meets) ?? []), { channel, bundle, version, meets }]);
      }
    }
  }
  for (const meets of byNeed.keys()) needs.apis.delete(meets.replace('required API ', ''));
  const latest = new Map<string, Provider>();
  for (const providers of byNeed.values()) {
    const best = providers.sort(byVersion(source.package.defaultChannel)).at(-1);
    if (best !== undefined) latest.set(best.bundle.version, best);
  }
  return [...latest.values()];
}

function findProviders(
  sources: readonly PackageSource[],
  chosen: Iterable<CatalogBundle>,
): Map<PackageSource, Provider[]> {
  const found = new Map<PackageSource, Provider[]>();
  const visited = new Set<CatalogBundle>();
  for (let current = [...chosen]; current.length > 0; ) {
    const needs = needsOf(current);
    current = [];
    for (const source of sources) {
      for (const provider of providersIn(source, needs)) {
        if (visited.has(provider.bundle)) continue;
        visited.add(provider.bundle);
        current.push(provider.bundle);
        found.set(source, [...(found.get(source) ?? []), provider]);
      }
    }
  }
  return found;
}

/**
 * Adds the bundles that provide what the chosen ones require (`olm.gvk.required`, `olm.package.required`), and
 * theirs, each with the way up to its channel's head, as oc-mirror v1 does.
 */
export function followDependencies(catalog: Catalog, choices: readonly PackageChoice[]): PackageChoice[] {
  const chosen = choices.flatMap(({ source, channels }) =>
    [...channels.values()].flatMap((choice) =>
      [...choice.keys()].flatMap((name) => source.bundles.get(name) ?? []),
    ),
  );
  const bySource = new Map(choices.map((choice) => [choice.source.name, choice]));
  const sources = [...catalog.packages.values()].map(
    (item) => bySource.get(item.name)?.source ?? new PackageSource(catalog, item),
  );
  for (const [source, providers] of findProviders(sources, chosen)) {
    const before = bySource.get(source.name);
    const channels = new Map<string, ChannelChoice>(before?.channels);
    for (const { channel, bundle, meets } of providers) {
      const graph = source.graph(channel);
      // What the head skips lies on no update path; its head provides the same in its place.
      if (channels.get(channel)?.has(bundle.name) || graph.head.skips?.includes(bundle.name)) continue;
      const path = updatePath(graph, bundle.name) ?? [bundle.name];
      const reasons = path.map((name): [string, string] => [
        name,
        name === bundle.name ? meets : `update path above ${meets}`,
      ]);
      channels.set(channel, new Map([...reasons, ...(channels.get(channel) ?? [])]));
    }
    const defaultChannel = before?.defaultChannel ?? source.package.defaultChannel;
    if (channels.size > 0) bySource.set(source.name, { source, defaultChannel, channels });
  }
  return [...bySource.values()];
}
