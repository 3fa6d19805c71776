import { compareReleaseVersions } from '../../../formats/release-version.ts';
import type { Graph, GraphNode } from './graph.ts';

/**
 * Finds the path with the fewest updates between two places in `nodes`, both ends included; empty when no path
 * leads there. Of equally long ones it takes that which goes through the highest versions first, so the
 * same graph gives the same path whatever order its edges are in.
 */
export function updatePath(graph: Graph, from: number, to: number): GraphNode[] {
  const targets = new Map<number, number[]>();
  for (const [start, end] of graph.edges) targets.set(start, [...(targets.get(start) ?? []), end]);
  const before = new Map<number, number | undefined>([[from, undefined]]);
  const queue = [from];
  for (const at of queue) {
    if (at === to) break;
    const next = (targets.get(at) ?? []).toSorted((a, b) => {
      const [first, second] = [graph.nodes[a], graph.nodes[b]];
      return first && second ? compareReleaseVersions(second.version, first.version) : 0;
    });
    for (const end of next) {
      if (before.has(end)) continue;
      before.set(end, at);
      queue.push(end);
    }
  }
  if (!before.has(to)) return [];
  const path: GraphNode[] = [];
  for (let at: number | undefined = to; at !== undefined; at = before.get(at)) {
    const node = graph.nodes[at];
    if (node !== undefined) path.unshift(node);
  }
  return path;
}
