import { EdgefabError } from '../../../errors.ts';
import { compareReleaseVersions, type ReleaseVersion } from '../../../formats/release-version.ts';
import type { PlatformType } from './fetch-graph.ts';
import { releaseIndex } from './find-release.ts';
import type { Graph, GraphNode } from './graph.ts';
import {
  channelEnd,
  distinctReleases,
  type ReleaseSelection,
  type ReleaseWish,
  releasesOnPath,
  selectReleases,
} from './select-releases.ts';
import { updatePath } from './update-path.ts';

export interface PlatformWish extends ReleaseWish {
  readonly type?: PlatformType;
}

/** Gives a channel's graph, fetched or from a file; asked for a channel more than once, the same one. */
export type GraphSource = (channel: string, type: PlatformType) => Promise<Graph>;

export interface PlatformReleases {
  /** Lowest version first, each payload once. */
  readonly releases: readonly GraphNode[];
  /** What a person should know of the way between channels. */
  readonly warnings: readonly string[];
}

interface ChannelName {
  readonly prefix: string;
  readonly major: number;
  readonly minor: number;
}

function parseChannel(channel: string): ChannelName {
  const match = /^(.+)-([0-9]+)\.([0-9]+)$/.exec(channel);
  if (match === null)
    throw new EdgefabError(
      `channel ${channel} does not end in -MAJOR.MINOR, so updates between it and other channels cannot be found`,
      { code: 'IMAGESET_INVALID', place: { field: channel } },
    );
  return { prefix: match[1] ?? '', major: Number(match[2]), minor: Number(match[3]) };
}

function holds(graph: Graph, wanted: ReleaseVersion): boolean {
  return graph.nodes.some(({ version }) => compareReleaseVersions(version, wanted) === 0);
}

function nodeAt(graph: Graph, channel: string, wanted: ReleaseVersion): GraphNode[] {
  const node = graph.nodes[releaseIndex(graph, channel, wanted)];
  return node === undefined ? [] : [node];
}

interface ChannelEnd {
  readonly channel: string;
  readonly version: ReleaseVersion;
}

/**
 * Walks from a release in one channel to one in another, channel by channel: up to the head of each, then on
 * from that release in the next minor's channel. Where the next one does not know the release the way is
 * blocked, and only its end is taken.
 */
async function walkChannels(
  first: ChannelEnd,
  last: ChannelEnd,
  graphOf: (channel: string) => Promise<Graph>,
): Promise<PlatformReleases> {
  const end = await graphOf(last.channel);
  if (first.channel === last.channel)
    return { releases: releasesOnPath(end, last.channel, first.version, last.version), warnings: [] };
  const [from, to] = [parseChannel(first.channel), parseChannel(last.channel)];
  if (from.major !== to.major || from.minor > to.minor)
    throw new EdgefabError(
      `updates lead from channel ${first.channel} (lowest release ${first.version.text}) back to ${last.channel} (highest release ${last.version.text})`,
      {
        code: 'IMAGESET_INVALID',
        place: { field: first.channel },
        suggestions: ['Bound the versions of each channel to its own minor release'],
      },
    );
  const start = await graphOf(first.channel);
  const releases = nodeAt(start, first.channel, first.version);
  let at = first.version;
  for (let minor = from.minor; ; minor += 1) {
    const isLast = minor === to.minor;
    const between = minor === from.minor ? first.channel : `${from.prefix}-${from.major}.${minor}`;
    const channel = isLast ? last.channel : between;
    const graph = await graphOf(channel);
    const target = isLast ? last.version : channelEnd(graph, channel, 'last');
    if (!holds(graph, at) && channel !== first.channel)
      return {
        releases: [...releases, ...nodeAt(end, last.channel, target)],
        warnings: [
          `No update leads from ${at.text} on in channel ${channel}: the releases between are not included`,
        ],
      };
    const path = updatePath(graph, releaseIndex(graph, channel, at), releaseIndex(graph, channel, target));
    releases.push(...path);
    if (isLast) return { releases: [...releases, ...nodeAt(graph, channel, target)], warnings: [] };
    at = target;
  }
}

/**
 * Selects the releases of every channel of an image set, and, as oc-mirror does for more than one channel,
 * those on the way from the lowest to the highest OCP release across them. Throws RELEASE_UNKNOWN,
 * IMAGESET_INVALID and what `source` throws.
 */
export async function selectPlatformReleases(
  wishes: readonly PlatformWish[],
  source: GraphSource,
): Promise<PlatformReleases> {
  const selected: { wish: PlatformWish; selection: ReleaseSelection }[] = [];
  for (const wish of wishes) {
    const graph = await source(wish.channel, wish.type ?? 'ocp');
    selected.push({ wish, selection: selectReleases(graph, wish) });
  }
  const releases = selected.flatMap(({ selection }) => selection.releases);
  const ocp = selected.filter(({ wish }) => (wish.type ?? 'ocp') === 'ocp');
  const [head] = ocp;
  if (wishes.length < 2 || head === undefined) return { releases: distinctReleases(releases), warnings: [] };
  let first: ChannelEnd = { channel: head.wish.channel, version: head.selection.minVersion };
  let last: ChannelEnd = { channel: head.wish.channel, version: head.selection.maxVersion };
  for (const { wish, selection } of ocp) {
    const { channel } = wish;
    const { minVersion, maxVersion } = selection;
    if (compareReleaseVersions(minVersion, first.version) < 0) first = { channel, version: minVersion };
    if (compareReleaseVersions(maxVersion, last.version) > 0) last = { channel, version: maxVersion };
  }
  const way = await walkChannels(first, last, (channel) => source(channel, 'ocp'));
  return { releases: distinctReleases([...releases, ...way.releases]), warnings: way.warnings };
}
