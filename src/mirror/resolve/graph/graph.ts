import { z } from 'zod';
import { EdgefabError } from '../../../errors.ts';
import { parseReleaseVersion, type ReleaseVersion } from '../../../formats/release-version.ts';

/** A release in the update graph. */
export interface GraphNode {
  readonly version: ReleaseVersion;
  /** The release image, as the graph names it. */
  readonly payload: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** An update graph of one channel and architecture. Edges point from a place in `nodes` to another. */
export interface Graph {
  /** The file or URL it came from. */
  readonly where: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly (readonly [from: number, to: number])[];
}

/** Many times the largest graph there is (some 1 MB, a few hundred nodes). */
export const MAX_GRAPH_BYTES = 64 * 1024 * 1024;

// Cincinnati protocol, "Graph API"; conditionalEdges carry risks for running clusters and no other node.
const graphDocument = z.object({
  version: z.literal(1).optional(),
  nodes: z.array(
    z.object({
      version: z.string(),
      payload: z.string().min(1),
      metadata: z.record(z.string()).nullish(),
    }),
  ),
  edges: z.array(z.tuple([z.number().int().nonnegative(), z.number().int().nonnegative()])).nullish(),
});

function fault(where: string, what: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`update graph ${where}: ${what}`, {
    code: 'GRAPH_INVALID',
    place: /^https?:/.test(where) ? { url: where } : { file: where },
    ...(cause === undefined ? {} : { cause }),
  });
}

/**
 * Reads an answer of the Cincinnati v1 graph API; `where` is its file or URL. Throws GRAPH_INVALID for
 * anything but a graph whose versions are semantic and whose edges join nodes it has.
 */
export function parseGraph(bytes: Uint8Array, where: string): Graph {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw fault(where, `its ${bytes.length} bytes are not JSON`, cause);
  }
  const parsed = graphDocument.safeParse(json);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    throw fault(where, `${issue?.path.join('.') || 'document'}: ${issue?.message ?? 'invalid'}`);
  }
  const nodes = parsed.data.nodes.map(({ version: text, payload, metadata }, at) => {
    const version = parseReleaseVersion(text);
    if (version === undefined)
      throw fault(where, `nodes.${at}.version "${text.slice(0, 100)}" is not a semantic version`);
    return { version, payload, metadata: metadata ?? {} };
  });
  const edges = parsed.data.edges ?? [];
  for (const [at, edge] of edges.entries()) {
    if (Math.max(...edge) >= nodes.length)
      throw fault(where, `edges.${at} joins ${edge.join(' and ')}, but there are ${nodes.length} nodes`);
  }
  return { where, nodes, edges };
}
