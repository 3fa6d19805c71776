import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { gotFetcher } from '../../../../src/mirror/resolve/got-fetcher.ts';
import { fetchGraph } from '../../../../src/mirror/resolve/graph/fetch-graph.ts';
import { graphDocument } from './graph-files.ts';

let server: Server | undefined;
afterEach(() => {
  server?.closeAllConnections();
  server?.close();
});

async function serve(listener: RequestListener): Promise<string> {
  const started = createServer(listener);
  server = started;
  await new Promise<void>((resolve) => started.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(started.address() as AddressInfo).port}`;
}

const document = graphDocument(['4.18.8', '4.18.9'], ['4.18.8>4.18.9']);
const fetcher = gotFetcher({ maxBytes: 1 << 20, retryTimes: 0, stallTimeoutMs: 1000 });
const query = { channel: 'stable-4.18', arch: 'amd64' };

describe('fetchGraph', () => {
  it('asks for channel and architecture, and keeps what the URL already asks', async () => {
    const asked: string[] = [];
    const base = await serve(({ url = '', headers }, response) => {
      asked.push(url, headers.accept ?? '');
      response.end(document);
    });
    const graph = await fetchGraph({ ...query, url: `${base}/api/graph?tenant=a%20b` }, fetcher);
    expect(graph.nodes.map(({ version }) => version.text)).toEqual(['4.18.8', '4.18.9']);
    expect(graph.where).toBe(`${base}/api/graph?channel=stable-4.18&arch=amd64`);
    const [path = '', accept] = asked;
    expect(Object.fromEntries(new URL(path, base).searchParams)).toEqual({ tenant: 'a b', ...query });
    expect(accept).toBe('application/json');
  });

  it('reads a compressed answer', async () => {
    const url = await serve(({ headers }, response) => {
      expect(headers['accept-encoding']).toBe('gzip');
      response.setHeader('content-encoding', 'gzip').end(gzipSync(document));
    });
    expect((await fetchGraph({ ...query, url }, fetcher)).nodes).toHaveLength(2);
  });

  it.each<[string, RequestListener, string, string]>([
    [
      'a refusal',
      (_, r) => void r.writeHead(400).end('{"kind":"missing_params","value":"arch"}'),
      'GRAPH_UNREACHABLE',
      'status 400: missing_params arch',
    ],
    [
      'a refusal that is a page',
      (_, r) => void r.writeHead(503).end('<html>'),
      'GRAPH_UNREACHABLE',
      'status 503',
    ],
    [
      'control characters in a refusal',
      (_, r) => void r.writeHead(400).end('{"kind":"a\\u001b[2Jb"}'),
      'GRAPH_UNREACHABLE',
      'status 400: a?[2Jb',
    ],
    ['a page instead of a graph', (_, r) => void r.end('<html>login</html>'), 'GRAPH_INVALID', 'not JSON'],
    ['a cut connection', (q) => q.socket.destroy(), 'GRAPH_UNREACHABLE', 'stable-4.18'],
    ['silence', () => {}, 'GRAPH_UNREACHABLE', 'stable-4.18'],
    [
      'more bytes than it may send',
      (_, r) => void r.end(Buffer.alloc(2 << 20, 0x20)),
      'GRAPH_UNREACHABLE',
      'more than 1048576 bytes',
    ],
    [
      'a gzip bomb',
      (_, r) => void r.setHeader('content-encoding', 'gzip').end(gzipSync(Buffer.alloc(64 << 20))),
      'GRAPH_UNREACHABLE',
      '1048576 bytes',
    ],
    [
      'a broken gzip',
      (_, r) => void r.setHeader('content-encoding', 'gzip').end(document),
      'GRAPH_UNREACHABLE',
      'header',
    ],
  ])('says what is wrong with %s', async (_name, listener, code, message) => {
    const url = await serve(listener);
    const fetched = fetchGraph({ ...query, url }, fetcher);
    await expect(fetched).rejects.toMatchObject({ code });
    await expect(fetched).rejects.toThrow(message);
  });

  it('says that nothing listens', async () => {
    const url = await serve(() => {});
    await new Promise((resolve) => server?.close(resolve));
    await expect(fetchGraph({ ...query, url }, fetcher)).rejects.toMatchObject({
      code: 'GRAPH_UNREACHABLE',
      exitCode: 8,
      place: { url },
    });
  });

  it.each(['ftp://example.com/graph', 'graph.json'])('refuses the URL %s', async (url) => {
    await expect(fetchGraph({ ...query, url }, fetcher)).rejects.toMatchObject({ code: 'GRAPH_UNREACHABLE' });
  });

  it('asks again after a passing fault', async () => {
    let calls = 0;
    const url = await serve((_, response) => {
      calls += 1;
      if (calls === 1) response.writeHead(503, { 'retry-after': '0' }).end();
      else response.end(document);
    });
    await fetchGraph({ ...query, url }, gotFetcher({ maxBytes: 1 << 20, retryTimes: 1 }));
    expect(calls).toBe(2);
  });

  it('stops when told to', async () => {
    const stop = new AbortController();
    const url = await serve(() => stop.abort(new Error('enough')));
    await expect(fetchGraph({ ...query, url, signal: stop.signal }, fetcher)).rejects.toThrow('enough');
  });
});
