import { EdgefabError } from '../../../errors.ts';
import { compareReleaseVersions, type ReleaseVersion } from '../../../formats/release-version.ts';
import { releaseIndex, releasesOf, unknownRelease, wantedVersion } from './find-release.ts';
import type { Graph, GraphNode } from './graph.ts';
import { updatePath } from './update-path.ts';

/** What an image set asks of one channel. */
export interface ReleaseWish {
  readonly channel: string;
  readonly minVersion?: string;
  readonly maxVersion?: string;
  /** Only the releases on the shortest update path from the lowest to the highest version. */
  readonly shortestPath?: boolean;
  /** Without versions: the whole channel instead of its head. */
  readonly full?: boolean;
}

export interface ReleaseSelection {
  readonly minVersion: ReleaseVersion;
  readonly maxVersion: ReleaseVersion;
  /** Lowest version first, each payload once. */
  readonly releases: readonly GraphNode[];
}

/** Orders releases by version, then payload, and takes each payload once. */
export function distinctReleases(releases: Iterable<GraphNode>): GraphNode[] {
  const byPayload = new Map<string, GraphNode>();
  for (const release of releases)
    if (!byPayload.has(release.payload)) byPayload.set(release.payload, release);
  return [...byPayload.values()].sort(
    (a, b) => compareReleaseVersions(a.version, b.version) || (a.payload < b.payload ? -1 : 1),
  );
}

/** Lists the releases of the shortest update path; where none leads there, its two ends. */
export function releasesOnPath(
  graph: Graph,
  channel: string,
  from: ReleaseVersion,
  to: ReleaseVersion,
): GraphNode[] {
  const [start, end] = [releaseIndex(graph, channel, from), releaseIndex(graph, channel, to)];
  const path = updatePath(graph, start, end);
  const ends = [graph.nodes[start], graph.nodes[end]].filter((node) => node !== undefined);
  return path.length === 0 ? ends : path;
}

/** Gives the first or last release of a channel. Throws RELEASE_UNKNOWN for an empty one. */
export function channelEnd(graph: Graph, channel: string, end: 'first' | 'last'): ReleaseVersion {
  const node = releasesOf(graph).at(end === 'first' ? 0 : -1);
  if (node === undefined)
    throw new EdgefabError(`channel ${channel} has no releases (from ${graph.where})`, {
      code: 'RELEASE_UNKNOWN',
      place: { field: channel },
      suggestions: ['Check the name of the channel and the architecture'],
    });
  return node.version;
}

function range(graph: Graph, wish: ReleaseWish): Pick<ReleaseSelection, 'minVersion' | 'maxVersion'> {
  const { channel, full = false } = wish;
  const max = wish.maxVersion === undefined ? undefined : wantedVersion(wish.maxVersion, channel);
  const min = wish.minVersion === undefined ? undefined : wantedVersion(wish.minVersion, channel);
  const maxVersion = max ?? channelEnd(graph, channel, 'last');
  if (min !== undefined) return { minVersion: min, maxVersion };
  const headOnly = max === undefined && !full;
  return { minVersion: headOnly ? maxVersion : channelEnd(graph, channel, 'first'), maxVersion };
}

/**
 * Selects the releases of one channel as oc-mirror does (v1 and v2 agree): nothing asked → the highest
 * version; `full` → all; a bound left open → the channel's end on that side; a range → every release between
 * the bounds, whether updates join them or not; `shortestPath` → those on the path only. Throws
 * RELEASE_UNKNOWN for bounds that are crossed or enclose nothing, and for path ends that do not exist.
 */
export function selectReleases(graph: Graph, wish: ReleaseWish): ReleaseSelection {
  const { channel, shortestPath = false } = wish;
  const { minVersion, maxVersion } = range(graph, wish);
  if (compareReleaseVersions(minVersion, maxVersion) > 0)
    throw unknownRelease(
      graph,
      channel,
      minVersion,
      `a release from ${minVersion.text} up to ${maxVersion.text}`,
    );
  const releases = shortestPath
    ? releasesOnPath(graph, channel, minVersion, maxVersion)
    : graph.nodes.filter(
        ({ version }) =>
          compareReleaseVersions(version, minVersion) >= 0 &&
          compareReleaseVersions(version, maxVersion) <= 0,
      );
  if (releases.length === 0) {
    const one = compareReleaseVersions(minVersion, maxVersion) === 0;
    const what = one
      ? `release ${minVersion.text}`
      : `any release from ${minVersion.text} to ${maxVersion.text}`;
    throw unknownRelease(graph, channel, minVersion, what);
  }
  return { minVersion, maxVersion, releases: distinctReleases(releases) };
}
