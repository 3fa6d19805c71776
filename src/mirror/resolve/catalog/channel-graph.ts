import type { CatalogChannel, ChannelEntry } from './catalog.ts';
import { catalogFault } from './catalog-fault.ts';

/** A channel whose update graph was checked: one head, no way round in circles. */
export interface ChannelGraph {
  readonly name: string;
  readonly head: ChannelEntry;
  readonly entries: ReadonlyMap<string, ChannelEntry>;
}

/** Names all that an entry supersedes directly. They need not be entries of the channel themselves. */
function superseded(entry: ChannelEntry): readonly string[] {
  return entry.replaces === undefined ? (entry.skips ?? []) : [entry.replaces, ...(entry.skips ?? [])];
}

/** Finds the entries that no other one replaces or skips; a sound channel has exactly one. `skipRange` does not count. */
export function channelHeads(entries: Iterable<ChannelEntry>): ChannelEntry[] {
  const all = [...entries];
  const below = new Set(all.flatMap(superseded));
  return all.filter(({ name }) => !below.has(name));
}

/** Finds a circle among entries that each have another one of them above, for the message. */
function circle(left: ReadonlyMap<string, ReadonlySet<string>>): string {
  let name = left.keys().next().value ?? '';
  const path: string[] = [];
  while (!path.includes(name)) {
    path.push(name);
    const above = [...(left.get(name) ?? [])].find((other) => left.has(other));
    if (above === undefined) break;
    name = above;
  }
  return [...path.slice(path.indexOf(name)), name].reverse().slice(0, 20).join(' -> ');
}

/**
 * Checks a channel's update graph, made of `replaces` and `skips`. Throws CATALOG_INVALID naming the channel when
 * it has no entry, an entry twice, no head, several heads, or a circle.
 */
export function channelGraph(channel: CatalogChannel, packageName: string, where: string): ChannelGraph {
  const fault = (what: string): Error =>
    catalogFault(where, `package "${packageName}", channel "${channel.name}" ${what}`, {
      field: `${packageName}.${channel.name}`,
    });
  const entries = new Map(channel.entries.map((entry) => [entry.name, entry]));
  if (entries.size === 0) throw fault('has no entries');
  if (entries.size < channel.entries.length) {
    const twice = channel.entries.find((entry) => entries.get(entry.name) !== entry);
    throw fault(`has entry "${twice?.name}" twice`);
  }
  const above = new Map<string, Set<string>>();
  for (const entry of channel.entries) {
    for (const name of superseded(entry)) {
      if (name === entry.name) throw fault(`has entry "${name}", which replaces or skips itself`);
      const names = above.get(name) ?? new Set();
      above.set(name, names.add(entry.name));
    }
  }
  const [head, ...others] = channelHeads(channel.entries);
  if (head === undefined)
    throw fault(`has no head: its entries replace each other in a circle, ${circle(above)}`);
  if (others.length > 0) {
    const names = [head, ...others].map(({ name }) => name).sort();
    throw fault(`has ${names.length} heads, want one: ${names.join(', ')}`);
  }
  // Topological order from the head down; what cannot be reached so lies on a circle or below one.
  const queue = [head.name];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    const entry = entries.get(name);
    for (const below of entry === undefined ? [] : superseded(entry)) {
      const waiting = above.get(below);
      waiting?.delete(name);
      if (waiting?.size !== 0) continue;
      above.delete(below);
      queue.push(below);
    }
  }
  if (above.size > 0) throw fault(`has entries that replace each other in a circle: ${circle(above)}`);
  return { name: channel.name, head, entries };
}

/** Follows `replaces` from an entry down. The last name may be one that is no entry of the channel. */
export function replacesChain(entries: ReadonlyMap<string, ChannelEntry>, from: string): string[] {
  const chain = new Set<string>();
  for (let name: string | undefined = from; name !== undefined && !chain.has(name); ) {
    chain.add(name);
    name = entries.get(name)?.replaces;
  }
  return [...chain];
}

/**
 * Tells what keeps part of a channel from being a channel of its own, or undefined: it needs one head, and its
 * replaces chain must reach all entries that are not skipped (operator-registry, channel validation).
 */
export function brokenChannel(kept: readonly ChannelEntry[]): string | undefined {
  const heads = channelHeads(kept);
  const [head] = heads;
  if (head === undefined) return 'no head is left';
  if (heads.length > 1)
    return `${heads.length} heads are left: ${heads
      .map(({ name }) => name)
      .sort()
      .join(', ')}`;
  const entries = new Map(kept.map((entry) => [entry.name, entry]));
  const skipped = new Set(kept.flatMap(({ skips }) => skips ?? []));
  const chain = replacesChain(entries, head.name);
  // A replaces edge to a skipped entry does not count, so the chain ends above it.
  const cut = chain.findIndex((name) => skipped.has(name));
  const reached = new Set(cut < 0 ? chain : chain.slice(0, cut));
  const stranded = kept
    .filter(({ name }) => !reached.has(name) && !skipped.has(name))
    .map(({ name }) => name);
  return stranded.length === 0
    ? undefined
    : `no update leads from ${stranded.sort().join(', ')} to ${head.name}`;
}
