import type { Graph } from '../../../../src/mirror/resolve/graph/graph.ts';
import { parseGraph } from '../../../../src/mirror/resolve/graph/graph.ts';

/** Writes a Cincinnati document: versions in the given order, edges by version. */
export function graphDocument(versions: readonly string[], edges: readonly string[]): string {
  return JSON.stringify({
    version: 1,
    nodes: versions.map((version) => ({ version, payload: `quay.io/ocp/release:${version}` })),
    edges: edges.map((edge) => edge.split('>').map((version) => versions.indexOf(version))),
  });
}

/** Makes a graph from `4.1.0 4.1.1` and `4.1.0>4.1.1`. */
export function graphOf(versions: string, edges = ''): Graph {
  const document = graphDocument(versions.split(' ').filter(Boolean), edges.split(' ').filter(Boolean));
  return parseGraph(Buffer.from(document), 'graph.json');
}

/** A chain of five channels with a blocked way into 4.3: 4.2.0-5 is unknown there. */
export const CHANNELS: Readonly<Record<string, Graph>> = {
  'stable-4.0': graphOf(
    '4.0.0-4 4.0.0-5 4.0.0-6 4.0.0-0.okd-0 4.0.0-7 4.0.0-8',
    '4.0.0-4>4.0.0-5 4.0.0-5>4.0.0-6 4.0.0-6>4.0.0-7 4.0.0-6>4.0.0-8 4.0.0-7>4.0.0-8',
  ),
  'stable-4.1': graphOf('4.0.0-6 4.0.0-7 4.0.0-8 4.1.0-6', '4.0.0-6>4.0.0-8 4.0.0-7>4.0.0-8 4.0.0-8>4.1.0-6'),
  'stable-4.2': graphOf('4.1.0-6 4.2.0-2 4.2.0-3 4.2.0-5', '4.1.0-6>4.2.0-3 4.2.0-2>4.2.0-3 4.2.0-3>4.2.0-5'),
  'stable-4.3': graphOf('4.3.0 4.3.1', '4.3.0>4.3.1'),
  'fast-4.3': graphOf('4.3.0 4.3.1 4.3.2', '4.3.0>4.3.1 4.3.1>4.3.2'),
};
