import type { ChannelEntry } from './catalog.ts';
import { type ChannelGraph, replacesChain } from './channel-graph.ts';

/** Indexes entries by what they replace: the way up. */
function replacers(entries: Iterable<ChannelEntry>): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const { name, replaces } of entries) {
    if (replaces === undefined) continue;
    const names = found.get(replaces) ?? [];
    found.set(replaces, names);
    names.push(name);
  }
  return found;
}

/**
 * Finds the entries an update from `start` to the head of the channel may pass, both ends included: where the
 * replaces chains of the two meet, all that is above, less what lies between there and the start. Only `replaces`
 * counts. Undefined when the chains do not meet.
 */
export function updatePath({ head, entries }: ChannelGraph, start: string): string[] | undefined {
  if (start === head.name) return [start];
  const startChain = replacesChain(entries, start);
  const onStartChain = new Set(startChain);
  const meeting = replacesChain(entries, head.name).find((name) => onStartChain.has(name));
  if (meeting === undefined) return undefined;
  const above = replacers(entries.values());
  const found = new Set<string>();
  const queue = [...(above.get(meeting) ?? [])];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name)) continue;
    found.add(name);
    queue.push(...(above.get(name) ?? []));
  }
  for (const name of startChain) {
    if (name === meeting) break;
    found.delete(name);
  }
  return [...found.add(start).add(head.name)];
}
