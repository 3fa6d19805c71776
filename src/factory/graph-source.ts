import type { Host } from '../host/host.ts';
import { gotFetcher } from '../mirror/resolve/got-fetcher.ts';
import { fetchGraph } from '../mirror/resolve/graph/fetch-graph.ts';
import { type Graph, MAX_GRAPH_BYTES } from '../mirror/resolve/graph/graph.ts';
import { loadGraph } from '../mirror/resolve/graph/load-graph.ts';
import type { ImageSetOptions } from '../mirror/resolve/image-set-images.ts';
import { parseProxySettings } from '../oci/proxy-settings.ts';

/**
 * Makes the source of update graphs: a saved answer (a file), another service (a URL), or the public one of each
 * platform. A graph is fetched once, whoever asks, through the proxy the environment names.
 */
export function graphSource(
  location: string | undefined,
  signal: AbortSignal | undefined,
  host: Pick<Host, 'env'>,
): ImageSetOptions['graph'] {
  const known = new Map<string, Promise<Graph>>();
  const fetcher = gotFetcher({
    maxBytes: MAX_GRAPH_BYTES,
    proxies: parseProxySettings(host),
    ...(signal === undefined ? {} : { signal }),
  });
  const isUrl = location !== undefined && /^https?:\/\//.test(location);
  return (channel, type, arch) => {
    const key = location === undefined || isUrl ? `${type} ${arch} ${channel}` : location;
    const graph =
      known.get(key) ??
      (location === undefined || isUrl
        ? fetchGraph({ channel, type, arch, ...(isUrl ? { url: location } : {}) }, fetcher)
        : loadGraph(location));
    known.set(key, graph);
    return graph;
  };
}
