import { inRange, parseVersion, parseVersionRange, type VersionRange } from '../../../formats/semver.ts';
import type { Catalog } from './catalog.ts';
import { type ChannelChoice, type PackageChoice, PackageSource, sourceOf } from './catalog-choice.ts';
import {
  badRequest,
  type CatalogRequest,
  type ChannelRequest,
  type PackageRequest,
  unknownContent,
  type VersionBounds,
} from './catalog-request.ts';
import { brokenChannel } from './channel-graph.ts';
import { updatePath } from './update-path.ts';

/** What is asked of one channel, v1's four ways of asking. */
type Wish =
  | { readonly kind: 'plain' }
  | { readonly kind: 'range'; readonly text: string; readonly range: VersionRange }
  | { readonly kind: 'from'; readonly version: string }
  | { readonly kind: 'bundle'; readonly name: string };

function wishOf({ minVersion, maxVersion, minBundle }: VersionBounds, what: string, where: string): Wish {
  if (minVersion !== undefined && minBundle !== undefined)
    throw badRequest(where, `${what} has minVersion and minBundle, want one of the two`);
  if (maxVersion !== undefined) {
    const text = minVersion === undefined ? `<=${maxVersion}` : `>=${minVersion} <=${maxVersion}`;
    const range = parseVersionRange(text);
    if (range === undefined)
      throw badRequest(where, `${what} has versions "${text}", want three numbers, like 4.13.1`);
    return { kind: 'range', text, range };
  }
  if (minVersion !== undefined) {
    if (parseVersion(minVersion) === undefined)
      throw badRequest(where, `${what} has minVersion "${minVersion}", want three numbers, like 4.13.1`);
    return { kind: 'from', version: minVersion };
  }
  return minBundle === undefined ? { kind: 'plain' } : { kind: 'bundle', name: minBundle };
}

function inChannelRange(
  source: PackageSource,
  channel: string,
  text: string,
  range: VersionRange,
): ChannelChoice {
  const kept = source.channel(channel).entries.filter(({ name }) => {
    const version = source.version(name);
    return version !== undefined && inRange(version, range);
  });
  return new Map(kept.map(({ name }) => [name, `version in ${text}`]));
}

/** Chooses the bundle of a version and the way up from it. The version must be there: v1 does not look for the next one. */
function fromVersion(source: PackageSource, channel: string, wanted: string): ChannelChoice {
  const choice = new Map<string, string>();
  const starts = source.channel(channel).entries.filter(({ name }) => {
    const version = source.bundles.get(name)?.version;
    // Either as it is, or without its prerelease: 4.13.0 finds 4.13.0-202305262054.
    return version === wanted || version?.split('-')[0] === wanted;
  });
  for (const { name } of starts) {
    for (const item of updatePath(source.graph(channel), name) ?? [])
      choice.set(item, `update path from ${wanted}`);
    choice.set(name, `version ${wanted}`);
  }
  return choice;
}

function chooseChannel(source: PackageSource, channel: string, wish: Wish, full: boolean): ChannelChoice {
  switch (wish.kind) {
    case 'plain':
      return full ? source.whole(channel) : source.head(channel);
    case 'range':
      return inChannelRange(source, channel, wish.text, wish.range);
    case 'from':
      return fromVersion(source, channel, wish.version);
    case 'bundle':
      // oc-mirror v1 takes the whole channel whatever the bundle; kept, so that what it mirrored stays complete.
      return source.whole(channel);
    default:
      return wish satisfies never;
  }
}

function explicitChoice(source: PackageSource, channel: string, wish: Wish, full: boolean): ChannelChoice {
  const place = `in channel "${channel}" of package "${source.name}"`;
  const { entries } = source.channel(channel);
  if (wish.kind === 'bundle' && !entries.some(({ name }) => name === wish.name))
    throw unknownContent(
      source.where,
      `bundle "${wish.name}" ${place}`,
      wish.name,
      entries.map(({ name }) => name),
    );
  const choice = chooseChannel(source, channel, wish, full);
  if (choice.size > 0 || wish.kind === 'plain' || wish.kind === 'bundle') return choice;
  const versions = source.versionTexts(entries.map(({ name }) => name));
  if (wish.kind === 'range')
    throw unknownContent(source.where, `version within "${wish.text}" ${place}`, wish.text, versions);
  throw unknownContent(source.where, `version ${wish.version} ${place}`, wish.version, versions);
}

/** Chooses per channel. A version of the package's own is looked for in all channels, whether or not some are listed. */
function chooseChannels(
  source: PackageSource,
  request: PackageRequest,
  full: boolean,
): Map<string, ChannelChoice> {
  const { name, where } = source;
  const own = wishOf(request, `package "${name}"`, where);
  if (own.kind === 'bundle' && !source.bundles.has(own.name))
    throw unknownContent(where, `bundle "${own.name}" in package "${name}"`, own.name, [
      ...source.bundles.keys(),
    ]);
  const listed: readonly ChannelRequest[] = request.channels ?? [];
  const chosen = new Map<string, ChannelChoice>();
  for (const item of listed) {
    source.channel(item.name);
    const wish = wishOf(item, `package "${name}", channel "${item.name}"`, where);
    if (own.kind === 'range' && wish.kind === 'range')
      throw badRequest(
        where,
        `package "${name}" has versions of its own and of channel "${item.name}", want one of the two`,
      );
    chosen.set(item.name, explicitChoice(source, item.name, wish, full));
  }
  const everywhere = own.kind === 'from' || own.kind === 'bundle' || listed.length === 0;
  for (const channel of everywhere ? source.channelNames() : []) {
    chosen.set(channel, chooseChannel(source, channel, own, full));
  }
  const kept = new Map([...chosen].filter(([, choice]) => choice.size > 0));
  if (kept.size > 0) return kept;
  const existing = source.versionTexts([...source.bundles.keys()]);
  const wanted = own.kind === 'range' ? own.text : own.kind === 'from' ? own.version : '';
  throw unknownContent(where, `version within "${wanted}" in package "${name}"`, wanted, existing);
}

/** Finds what becomes the default channel when the choice leaves out the catalog's own, as v1 does. */
function defaultChannelOf(source: PackageSource, request: PackageRequest, kept: readonly string[]): string {
  const { defaultChannel: given, channels } = source.package;
  if (request.defaultChannel !== undefined) source.channel(request.defaultChannel);
  if (kept.includes(given)) return given;
  if (given === '' && request.defaultChannel === undefined) return given;
  const [only, ...more] = request.channels ?? [];
  const asked = request.defaultChannel ?? (more.length === 0 ? only?.name : undefined);
  if (asked !== undefined && kept.includes(asked)) return asked;
  const ranked = channels.filter(({ name, priority }) => priority !== undefined && kept.includes(name));
  const best = ranked.toSorted((a, b) => (b.priority ?? 0) - (a.priority ?? 0))[0];
  if (asked === undefined && best !== undefined) return best.name;
  const missing = asked ?? given;
  throw badRequest(source.where, `package "${source.name}" would lose its default channel "${missing}"`, [
    `Add defaultChannel: ${kept[0]} to the package, or channel ${missing} to its channels`,
  ]);
}

function choosePackage(source: PackageSource, request: PackageRequest, full: boolean): PackageChoice {
  const { where, name } = source;
  if ((request.selectedBundles ?? []).length > 0)
    throw badRequest(where, `package "${name}" has selectedBundles, which v1alpha2 does not know`);
  const channels = chooseChannels(source, request, full);
  const defaultChannel = defaultChannelOf(source, request, [...channels.keys()]);
  for (const [channel, choice] of channels) {
    source.graph(channel);
    const broken = brokenChannel(source.channel(channel).entries.filter((entry) => choice.has(entry.name)));
    if (broken !== undefined)
      throw badRequest(
        where,
        `package "${name}", channel "${channel}": with ${[...choice.keys()].sort().join(', ')} ${broken}`,
        ['Widen the versions, or give minVersion alone: then the updates up to the head come along'],
      );
  }
  return { source, defaultChannel, channels };
}

/**
 * Chooses bundles as oc-mirror v1 does: channel heads unless asked otherwise, minVersion alone as a way up along
 * `replaces`, maxVersion as a plain comparison, and what is left must still make a catalog.
 */
export function filterV1alpha2(catalog: Catalog, request: CatalogRequest): PackageChoice[] {
  const full = request.full === true;
  const packages = request.packages ?? [];
  if (packages.length > 0) return packages.map((item) => choosePackage(sourceOf(catalog, item), item, full));
  return [...catalog.packages.values()].map((item) =>
    choosePackage(new PackageSource(catalog, item), { name: item.name }, full),
  );
}
