import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseGraph } from '../../../../src/mirror/resolve/graph/graph.ts';
import { loadGraph } from '../../../../src/mirror/resolve/graph/load-graph.ts';
import { graphDocument } from './graph-files.ts';

const node = { version: '4.18.9', payload: 'quay.io/ocp/release@sha256:00' };

describe('parseGraph', () => {
  it('reads nodes, edges and metadata, and leaves conditional edges', () => {
    const document = {
      version: 1,
      nodes: [
        { ...node, metadata: { url: 'https://example.com/errata' } },
        { ...node, version: '4.18.10' },
      ],
      edges: [[0, 1]],
      conditionalEdges: [{ edges: [{ from: '4.18.9', to: '4.18.10' }], risks: [] }],
    };
    const graph = parseGraph(Buffer.from(JSON.stringify(document)), 'graph.json');
    expect(graph.nodes.map(({ version, metadata }) => [version.text, metadata])).toEqual([
      ['4.18.9', { url: 'https://example.com/errata' }],
      ['4.18.10', {}],
    ]);
    expect(graph.edges).toEqual([[0, 1]]);
  });

  it.each([
    ['an empty channel', { nodes: [], edges: [] }],
    ['no edges at all', { nodes: [node], edges: null }],
    ['no metadata', { nodes: [{ ...node, metadata: null }] }],
  ])('reads %s', (_name, document) => {
    expect(parseGraph(Buffer.from(JSON.stringify(document)), 'g').edges).toEqual([]);
  });

  it.each([
    ['bytes that are not JSON', '<html>', 'not JSON'],
    ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22]), 'not JSON'],
    ['a list', '[]', 'document'],
    ['no nodes', '{"edges":[]}', 'nodes'],
    ['a node without payload', '{"nodes":[{"version":"4.1.0"}],"edges":[]}', 'nodes.0.payload'],
    [
      'a node whose version is none',
      '{"nodes":[{"version":"latest","payload":"x"}],"edges":[]}',
      'nodes.0.version "latest"',
    ],
    ['an edge to nowhere', `{"nodes":[${JSON.stringify(node)}],"edges":[[0,1]]}`, 'edges.0 joins 0 and 1'],
    ['a negative edge', `{"nodes":[${JSON.stringify(node)}],"edges":[[0,-1]]}`, 'edges.0.1'],
    ['an edge with one end', `{"nodes":[${JSON.stringify(node)}],"edges":[[0]]}`, 'edges.0'],
    ['a later protocol', '{"version":2,"nodes":[],"edges":[]}', 'version'],
  ])('refuses %s', (_name, bytes, what) => {
    const parse = () => parseGraph(Buffer.from(bytes), 'graph.json');
    expect(parse).toThrow(expect.objectContaining({ code: 'GRAPH_INVALID', place: { file: 'graph.json' } }));
    expect(parse).toThrow(what);
  });
});

describe('loadGraph', () => {
  let folder: string;
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'graph-'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it('reads a saved graph', async () => {
    const file = join(folder, 'amd64-stable-4.1.json');
    await writeFile(file, graphDocument(['4.1.0'], []));
    const graph = await loadGraph(file);
    expect(graph).toMatchObject({ where: file, nodes: [{ payload: 'quay.io/ocp/release:4.1.0' }] });
  });

  it.each([
    ['a file that is not there', 'absent.json', undefined, 'FILE_UNREADABLE'],
    ['a folder', '.', undefined, 'FILE_UNREADABLE'],
    ['an empty file', 'empty.json', 0, 'GRAPH_INVALID'],
    ['a sparse file of 10 GB', 'huge.json', 10e9, 'GRAPH_INVALID'],
  ])('refuses %s', async (_name, name, size, code) => {
    const file = join(folder, name);
    if (size !== undefined) {
      await writeFile(file, '');
      await truncate(file, size);
    }
    await expect(loadGraph(file)).rejects.toMatchObject({ code, place: { file } });
  });
});
