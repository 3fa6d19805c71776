import {
  compareVersions,
  type PartialVersion,
  parsePartialVersion,
  type Version,
} from '../../../formats/semver.ts';
import type { Catalog } from './catalog.ts';
import { type ChannelChoice, type PackageChoice, PackageSource, sourceOf } from './catalog-choice.ts';
import {
  badRequest,
  type CatalogRequest,
  type PackageRequest,
  unknownContent,
  type VersionBounds,
} from './catalog-request.ts';
import { brokenChannel, replacesChain } from './channel-graph.ts';

function hasBounds({ minVersion, maxVersion, minBundle }: VersionBounds): boolean {
  return minVersion !== undefined || maxVersion !== undefined || minBundle !== undefined;
}

function describe({ minVersion, maxVersion }: VersionBounds): string {
  return [minVersion && `>=${minVersion}`, maxVersion && `<=${maxVersion}`].filter(Boolean).join(' ');
}

function bound(text: string | undefined, field: string, source: PackageSource): PartialVersion | undefined {
  if (text === undefined) return undefined;
  const parsed = parsePartialVersion(text);
  if (parsed === undefined)
    throw badRequest(
      source.where,
      `package "${source.name}" has ${field} "${text}", want a version like 4.13.1`,
    );
  return parsed;
}

/**
 * Makes the test of v2's ranges: a prerelease (`4.13.0-202305262054`) is taken only when one of the bounds has
 * one, and parts missing from maxVersion are open (`4.13` takes all of 4.13).
 */
function rangeTest(bounds: VersionBounds, source: PackageSource): (version: Version) => boolean {
  const min = bound(bounds.minVersion, 'minVersion', source);
  const max = bound(bounds.maxVersion, 'maxVersion', source);
  const prereleases = [min, max].some((item) => (item?.version.prerelease.length ?? 0) > 0);
  return (version) => {
    if (version.prerelease.length > 0 && !prereleases) return false;
    if (min !== undefined && compareVersions(version, min.version) < 0) return false;
    if (max === undefined) return true;
    if (max.known === 3) return compareVersions(version, max.version) <= 0;
    const { major, minor } = max.version;
    return version.major < major || (version.major === major && (max.known === 1 || version.minor <= minor));
  };
}

/**
 * Chooses by range along the replaces chain. Each chain entry stands for itself and what it skips; the part kept
 * runs from the lowest entry with all bundles of the range at or below it, down to the last one with any. Within
 * that part entries out of the range stay, so that updates find their way.
 */
function alongChain(source: PackageSource, channel: string, bounds: VersionBounds): ChannelChoice {
  const { head, entries } = source.graph(channel);
  const test = rangeTest(bounds, source);
  const matches = (name: string): boolean => {
    const version = source.version(name);
    return version !== undefined && test(version);
  };
  const chain = replacesChain(entries, head.name);
  const skipsOf = (name: string): readonly string[] => entries.get(name)?.skips ?? [];
  const seen = new Set<string>();
  const countBelow = new Map<string, number>();
  for (const name of chain.toReversed()) {
    for (const item of [name, ...skipsOf(name)]) if (matches(item)) seen.add(item);
    countBelow.set(name, seen.size);
  }
  const tail = chain.findIndex((name) => countBelow.get(name) === 0);
  const candidates = tail < 0 ? chain : chain.slice(0, tail);
  const first = candidates.findLastIndex((name) => countBelow.get(name) === seen.size);
  const choice = new Map<string, string>();
  for (const name of first < 0 ? [] : candidates.slice(first)) {
    choice.set(
      name,
      matches(name) ? `version in ${describe(bounds)}` : `on the update path within ${describe(bounds)}`,
    );
    for (const skip of skipsOf(name)) if (matches(skip)) choice.set(skip, `version in ${describe(bounds)}`);
  }
  return choice;
}

/** Chooses one version of the whole package, in whatever channel it is: what v2 does when minVersion is maxVersion. */
function exactVersion(source: PackageSource, text: string): ChannelChoice {
  const wanted = bound(text, 'minVersion', source);
  const found = source.package.bundles.find(({ name }) => {
    const version = source.version(name);
    return version !== undefined && wanted !== undefined && compareVersions(version, wanted.version) === 0;
  });
  if (found === undefined) {
    const existing = source.versionTexts([...source.bundles.keys()]);
    throw unknownContent(source.where, `version ${text} in package "${source.name}"`, text, existing);
  }
  return new Map([[found.name, `version ${text}`]]);
}

function chooseRange(source: PackageSource, channel: string, bounds: VersionBounds): ChannelChoice {
  const { minVersion, maxVersion } = bounds;
  if (minVersion !== undefined && minVersion === maxVersion) return exactVersion(source, minVersion);
  return alongChain(source, channel, bounds);
}

function refuseMixed(request: PackageRequest, full: boolean, where: string): void {
  const { name, channels = [], selectedBundles = [] } = request;
  const bounded = channels.filter(hasBounds);
  const fault = (what: string): Error => badRequest(where, `package "${name}" ${what}`);
  if ([request, ...channels].some(({ minBundle }) => minBundle !== undefined))
    throw fault('has minBundle, which only v1alpha2 knows');
  if (hasBounds(request) && bounded.length > 0)
    throw fault(`has versions of its own and of channel "${bounded[0]?.name}", want one of the two`);
  if (full && (hasBounds(request) || bounded.length > 0)) throw fault('has versions beside full: true');
  if (selectedBundles.length > 0 && (full || hasBounds(request) || channels.length > 0))
    throw fault('has selectedBundles beside full, channels or versions');
}

function defaultChannelOf(source: PackageSource, request: PackageRequest, kept: readonly string[]): string {
  const { defaultChannel } = request;
  const { name, where } = source;
  if (defaultChannel !== undefined) {
    source.channel(defaultChannel);
    if (!kept.includes(defaultChannel))
      throw badRequest(
        where,
        `package "${name}" has defaultChannel "${defaultChannel}", which is not among its channels`,
      );
    return defaultChannel;
  }
  const given = source.package.defaultChannel;
  if (given !== '' && !kept.includes(given))
    throw badRequest(
      where,
      `package "${name}" leaves out its default channel "${given}", so it needs a new one`,
      [`Add defaultChannel: ${kept[0]} to the package, or channel ${given} to its channels`],
    );
  return given;
}

/** Keeps named bundles; a channel without any of them goes. */
function chooseNamed(source: PackageSource, channel: string, names: ReadonlySet<string>): ChannelChoice {
  const kept = source.channel(channel).entries.filter(({ name }) => names.has(name));
  const broken = kept.length === 0 ? undefined : brokenChannel(kept);
  if (broken !== undefined)
    throw badRequest(
      source.where,
      `selectedBundles of package "${source.name}" break channel "${channel}": ${broken}`,
    );
  return new Map(kept.map(({ name }) => [name, 'selected by name']));
}

function choosePackage(source: PackageSource, request: PackageRequest, full: boolean): PackageChoice {
  const { where, name } = source;
  refuseMixed(request, full, where);
  const requested = new Map((request.channels ?? []).map((channel) => [channel.name, channel]));
  for (const channel of requested.keys()) source.channel(channel);
  const named = new Set((request.selectedBundles ?? []).map((bundle) => bundle.name));
  for (const bundle of named) {
    if (!source.bundles.has(bundle))
      throw unknownContent(where, `bundle "${bundle}" in package "${name}"`, bundle, [
        ...source.bundles.keys(),
      ]);
  }
  const kept = requested.size === 0 ? source.channelNames() : [...requested.keys()].sort();
  const defaultChannel = defaultChannelOf(source, request, kept);
  const channels = new Map<string, ChannelChoice>();
  for (const channel of kept) {
    const own = requested.get(channel);
    const bounds = own !== undefined && hasBounds(own) ? own : hasBounds(request) ? request : undefined;
    const choice =
      named.size > 0
        ? chooseNamed(source, channel, named)
        : full
          ? source.whole(channel)
          : bounds === undefined
            ? source.head(channel)
            : chooseRange(source, channel, bounds);
    if (choice.size > 0) {
      channels.set(channel, choice);
    } else if (bounds !== undefined && (bounds === own || channel === source.package.defaultChannel)) {
      const versions = source.versionTexts(source.channel(channel).entries.map((entry) => entry.name));
      throw unknownContent(
        where,
        `version within "${describe(bounds)}" in channel "${channel}" of package "${name}"`,
        describe(bounds),
        versions,
      );
    }
  }
  return { source, defaultChannel, channels };
}

/**
 * Chooses bundles as oc-mirror v2 does (its module catalog-filter): channel heads unless asked otherwise, ranges
 * along the replaces chain. Unlike it, names that do not exist are refused instead of passed over.
 */
export function filterV2alpha1(catalog: Catalog, request: CatalogRequest): PackageChoice[] {
  const full = request.full === true;
  const packages = request.packages ?? [];
  if (packages.length > 0) return packages.map((item) => choosePackage(sourceOf(catalog, item), item, full));
  return [...catalog.packages.values()].map((item) =>
    choosePackage(new PackageSource(catalog, item), { name: item.name }, full),
  );
}
