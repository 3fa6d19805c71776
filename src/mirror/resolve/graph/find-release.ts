import { EdgefabError } from '../../../errors.ts';
import {
  compareReleaseVersions,
  parseReleaseVersion,
  type ReleaseVersion,
} from '../../../formats/release-version.ts';
import type { Graph, GraphNode } from './graph.ts';

const SHOWN = 3;

/** Orders a graph's releases by version, the lowest first. */
export function releasesOf(graph: Graph): GraphNode[] {
  return graph.nodes.toSorted((a, b) => compareReleaseVersions(a.version, b.version));
}

/** Makes the RELEASE_UNKNOWN error: which version is missing from which channel, and which lie around it. */
export function unknownRelease(
  graph: Graph,
  channel: string,
  wanted: ReleaseVersion,
  what = `release ${wanted.text}`,
): EdgefabError {
  const ordered = releasesOf(graph);
  const above = ordered.findIndex(({ version }) => compareReleaseVersions(version, wanted) > 0);
  const at = above < 0 ? ordered.length : above;
  const near = ordered.slice(Math.max(0, at - SHOWN), at + SHOWN).map(({ version }) => version.text);
  return new EdgefabError(
    `${what} is not in channel ${channel} (${ordered.length} releases, from ${graph.where})`,
    {
      code: 'RELEASE_UNKNOWN',
      place: { field: channel },
      suggestions:
        near.length === 0
          ? [`The channel ${channel} is empty: check its name`]
          : [`Nearest in ${channel}: ${near.join(', ')}`],
    },
  );
}

/** Reads a version a user wrote. Throws RELEASE_UNKNOWN. */
export function wantedVersion(text: string, channel: string): ReleaseVersion {
  const version = parseReleaseVersion(text);
  if (version === undefined)
    throw new EdgefabError(
      `"${text.slice(0, 100)}" (channel ${channel}) is not a release version: want one like 4.18.9`,
      { code: 'RELEASE_UNKNOWN', place: { field: channel } },
    );
  return version;
}

/** Finds where in `nodes` a version is. Throws RELEASE_UNKNOWN with the nearest ones. */
export function releaseIndex(graph: Graph, channel: string, wanted: ReleaseVersion): number {
  const at = graph.nodes.findIndex(({ version }) => compareReleaseVersions(version, wanted) === 0);
  if (at < 0) throw unknownRelease(graph, channel, wanted);
  return at;
}
