import { type ApiFetcher, initClient, initContract } from '@ts-rest/core';
import { z } from 'zod';
import { EdgefabError } from '../../../errors.ts';
import { type Graph, parseGraph } from './graph.ts';

export type PlatformType = 'ocp' | 'okd';

/** Where each platform's own updater asks (OKD: the `upstream` of its ClusterVersion). */
const GRAPH_URLS: Readonly<Record<PlatformType, string>> = {
  ocp: 'https://api.openshift.com/api/upgrades_info/v1/graph',
  okd: 'https://amd64.origin.releases.ci.openshift.org/graph',
};

export interface GraphQuery {
  /** The default is the public service of the platform. */
  readonly url?: string;
  readonly type?: PlatformType;
  readonly channel: string;
  /** In GOARCH words, or `multi`. */
  readonly arch: string;
  readonly signal?: AbortSignal;
}

const c = initContract();

/** The Cincinnati graph API, version 1; its whole URL is the base. */
const graphContract = c.router({
  graph: {
    method: 'GET',
    path: '',
    headers: z.object({ accept: z.literal('application/json') }),
    query: z.object({ arch: z.string(), channel: z.string() }).catchall(z.string()),
    responses: { 200: c.type<Uint8Array>() },
  },
});

const refusal = z.object({ kind: z.string(), value: z.string().optional() });

/** What an error body of the service says of itself, short and in one line. */
function reasonOf(body: unknown): string {
  try {
    const text = body instanceof Uint8Array ? Buffer.from(body.subarray(0, 4096)).toString('utf8') : '';
    const { kind, value = '' } = refusal.parse(JSON.parse(text));
    return `: ${kind} ${value}`
      .replace(/[^\x20-\x7e]/g, '?')
      .trimEnd()
      .slice(0, 200);
  } catch {
    return '';
  }
}

/**
 * Asks for the update graph of one channel. `fetcher` carries the request and bounds the answer (gotFetcher).
 * Throws GRAPH_UNREACHABLE when there is no answer or a refusal, GRAPH_INVALID when it is no graph.
 */
export async function fetchGraph(query: GraphQuery, fetcher: ApiFetcher): Promise<Graph> {
  const { type = 'ocp', channel, arch, signal } = query;
  const given = query.url ?? GRAPH_URLS[type];
  const unreachable = (what: string, cause?: unknown): EdgefabError =>
    new EdgefabError(`update graph of channel ${channel} (${arch}) from ${given}: ${what}`, {
      code: 'GRAPH_UNREACHABLE',
      place: { url: given },
      suggestions: [
        'Check the network and the proxy of this machine, then run again',
        'Or save the graph where there is a line and give the file, or pin the release image in the image set',
      ],
      ...(cause === undefined ? {} : { cause }),
    });
  const url = URL.parse(given);
  if (url === null || !/^https?:$/.test(url.protocol)) throw unreachable('it is not an http or https URL');
  const client = initClient(graphContract, { baseUrl: `${url.origin}${url.pathname}`, api: fetcher });
  const answer = await client
    .graph({
      headers: { accept: 'application/json' },
      query: { ...Object.fromEntries(url.searchParams), arch, channel },
      ...(signal === undefined ? {} : { fetchOptions: { signal } }),
    })
    .catch((cause: unknown) => {
      if (signal?.aborted) throw signal.reason;
      if (cause instanceof EdgefabError) throw cause;
      throw unreachable(cause instanceof Error ? cause.message : 'no answer', cause);
    });
  if (answer.status !== 200)
    throw unreachable(`it answered with status ${answer.status}${reasonOf(answer.body)}`);
  return parseGraph(answer.body, `${url.origin}${url.pathname}?channel=${channel}&arch=${arch}`);
}
