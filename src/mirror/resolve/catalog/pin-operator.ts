import type { Catalog } from './catalog.ts';
import { sourceOf } from './catalog-choice.ts';
import { badRequest, unknownContent } from './catalog-request.ts';

export interface PinnedOperator {
  readonly channel: string;
  readonly version: string;
}

/**
 * Finds the one channel and the one version an operator's name stands for: its default channel, the newest version
 * of a channel, unless they are given. Throws CATALOG_CONTENT_UNKNOWN for what the catalog does not have, with what
 * exists and the nearest name; CATALOG_FILTER_INVALID where it names no default channel.
 */
export function pinOperator(
  catalog: Catalog,
  { name, ...given }: { readonly name: string; readonly channel?: string; readonly version?: string },
): PinnedOperator {
  const source = sourceOf(catalog, { name });
  const channel = given.channel ?? source.package.defaultChannel;
  if (channel === '')
    throw badRequest(
      source.where,
      `package "${name}" has no default channel: name one of ${source.channelNames().join(', ')}`,
    );
  const entries = source.channel(channel).entries.map((entry) => entry.name);
  if (given.version !== undefined) {
    const versions = source.versionTexts(entries);
    if (!versions.includes(given.version)) {
      const what = `version "${given.version}" in channel "${channel}" of package "${name}"`;
      throw unknownContent(source.where, what, given.version, versions);
    }
    return { channel, version: given.version };
  }
  const head = source.graph(channel).head.name;
  const version = source.bundles.get(head)?.version;
  if (version !== undefined) return { channel, version };
  throw badRequest(
    source.where,
    `the head ${head} of channel "${channel}" of package "${name}" has no version`,
  );
}
