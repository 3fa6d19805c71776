import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { EdgefabError } from '../../../../src/errors.ts';
import { selectPlatformReleases } from '../../../../src/mirror/resolve/graph/cross-channels.ts';
import { loadGraph } from '../../../../src/mirror/resolve/graph/load-graph.ts';
import { type ReleaseWish, selectReleases } from '../../../../src/mirror/resolve/graph/select-releases.ts';
import { CHANNELS, graphOf } from './graph-files.ts';

type Asked = Omit<ReleaseWish, 'channel'>;

function select(graph: ReturnType<typeof graphOf>, asked: Asked, channel = 'stable-4.0'): string {
  const { releases } = selectReleases(graph, { channel, ...asked });
  return releases.map(({ version }) => version.text).join(' ');
}

function source(channel: string): Promise<ReturnType<typeof graphOf>> {
  const graph = CHANNELS[channel];
  return graph === undefined ? Promise.reject(new Error(`no ${channel}`)) : Promise.resolve(graph);
}

describe('selectReleases', () => {
  const graph = graphOf(
    '4.1.0 4.1.2 4.1.1 4.1.3 4.2.0-rc.1 4.2.0',
    '4.1.0>4.1.1 4.1.0>4.1.2 4.1.1>4.1.3 4.1.2>4.1.3 4.1.3>4.2.0',
  );
  it.each<[string, Asked, string]>([
    ['the head when nothing is asked', {}, '4.2.0'],
    ['the head by shortest path', { shortestPath: true }, '4.2.0'],
    ['everything when full', { full: true }, '4.1.0 4.1.1 4.1.2 4.1.3 4.2.0-rc.1 4.2.0'],
    ['up from a lowest version', { minVersion: '4.1.3' }, '4.1.3 4.2.0-rc.1 4.2.0'],
    ['from the channel’s first up to a highest', { maxVersion: '4.1.1' }, '4.1.0 4.1.1'],
    ['a range, updates or not', { minVersion: '4.1.0', maxVersion: '4.1.3' }, '4.1.0 4.1.1 4.1.2 4.1.3'],
    ['a range whose ends do not exist', { minVersion: '4.1.2-rc.0', maxVersion: '4.1.9' }, '4.1.2 4.1.3'],
    ['one release', { minVersion: '4.1.1', maxVersion: '4.1.1' }, '4.1.1'],
    ['a prerelease inside a range', { minVersion: '4.2.0-rc.0', maxVersion: '4.2.0-rc.9' }, '4.2.0-rc.1'],
    [
      'the shortest path, by the higher of two equal ways',
      { minVersion: '4.1.0', maxVersion: '4.2.0', shortestPath: true },
      '4.1.0 4.1.2 4.1.3 4.2.0',
    ],
    [
      'the two ends where no path leads',
      { minVersion: '4.1.1', maxVersion: '4.1.2', shortestPath: true },
      '4.1.1 4.1.2',
    ],
    [
      'the whole channel by shortest path when full',
      { full: true, shortestPath: true },
      '4.1.0 4.1.2 4.1.3 4.2.0',
    ],
  ])('selects %s', (_name, asked, versions) => {
    expect(select(graph, asked)).toBe(versions);
  });

  it.each<[string, Asked, string, string]>([
    [
      'a release that is not there',
      { minVersion: '4.1.9', maxVersion: '4.1.9' },
      'release 4.1.9',
      'Nearest in stable-4.0: 4.1.1, 4.1.2, 4.1.3, 4.2.0-rc.1, 4.2.0',
    ],
    [
      'a range that holds nothing',
      { minVersion: '4.3.0', maxVersion: '4.4.0' },
      'any release from 4.3.0 to 4.4.0',
      '4.1.3, 4.2.0-rc.1, 4.2.0',
    ],
    [
      'bounds that are crossed',
      { minVersion: '4.2.0', maxVersion: '4.1.0' },
      'from 4.2.0 up to 4.1.0',
      'Nearest',
    ],
    [
      'a path from nowhere',
      { minVersion: '4.0.9', maxVersion: '4.2.0', shortestPath: true },
      'release 4.0.9',
      '4.1.0, 4.1.1, 4.1.2',
    ],
    [
      'a path to nowhere',
      { minVersion: '4.1.0', maxVersion: '4.2.9', shortestPath: true },
      'release 4.2.9',
      '4.1.3, 4.2.0-rc.1, 4.2.0',
    ],
  ])('says which releases are near %s', (_name, asked, message, suggestion) => {
    try {
      select(graph, asked);
      expect.unreachable();
    } catch (error) {
      expect(error).toMatchObject({ code: 'RELEASE_UNKNOWN', exitCode: 3, place: { field: 'stable-4.0' } });
      expect(String(error)).toContain(message);
      expect(error instanceof EdgefabError && error.suggestions.join()).toContain(suggestion);
    }
  });

  it.each<[string, string, Asked]>([
    ['an empty channel', '', {}],
    ['an empty channel that is asked for a release', '', { minVersion: '4.1.0', maxVersion: '4.1.0' }],
    ['a bound that is no version', '4.1.0', { minVersion: 'v4.1' }],
  ])('refuses %s', (_name, versions, asked) => {
    expect(() => select(graphOf(versions), asked)).toThrow(
      expect.objectContaining({ code: 'RELEASE_UNKNOWN' }),
    );
  });

  it('takes a payload that two versions share once', () => {
    const [node] = graphOf('4.1.0').nodes;
    const twice = { where: 'g', nodes: node === undefined ? [] : [node, { ...node }], edges: [] };
    expect(select(twice, { full: true })).toBe('4.1.0');
  });

  it('ends on a graph with a cycle', () => {
    const cyclic = graphOf('4.1.0 4.1.1 4.1.2', '4.1.0>4.1.1 4.1.1>4.1.0 4.1.1>4.1.2');
    expect(select(cyclic, { full: true, shortestPath: true })).toBe('4.1.0 4.1.1 4.1.2');
  });
});

// The ways and ends are those oc-mirror's own tests hold (internal/pkg/release, CalculateUpgrades).
describe('selectPlatformReleases', () => {
  const path = { shortestPath: true };
  const one = (channel: string, version: string) => ({
    channel,
    minVersion: version,
    maxVersion: version,
    ...path,
  });
  it.each([
    ['one channel: no way beyond it', [{ channel: 'stable-4.0' }], '4.0.0-8', 0],
    [
      'the next minor',
      [one('stable-4.0', '4.0.0-5'), one('stable-4.1', '4.1.0-6')],
      '4.0.0-5 4.0.0-6 4.0.0-8 4.1.0-6',
      0,
    ],
    [
      'through a channel in between that is not asked for',
      [one('stable-4.0', '4.0.0-5'), one('stable-4.2', '4.2.0-3')],
      '4.0.0-5 4.0.0-6 4.0.0-8 4.1.0-6 4.2.0-3',
      0,
    ],
    [
      'whatever the order in the file',
      [one('stable-4.1', '4.1.0-6'), one('stable-4.0', '4.0.0-5')],
      '4.0.0-5 4.0.0-6 4.0.0-8 4.1.0-6',
      0,
    ],
    [
      'a channel of the same minor',
      [one('stable-4.3', '4.3.0'), one('fast-4.3', '4.3.2')],
      '4.3.0 4.3.1 4.3.2',
      0,
    ],
    [
      'no path to the end',
      [one('stable-4.1', '4.1.0-6'), one('stable-4.2', '4.2.0-2')],
      '4.1.0-6 4.2.0-2',
      0,
    ],
    [
      'a way that is blocked',
      [one('stable-4.2', '4.2.0-3'), one('stable-4.3', '4.3.0')],
      '4.2.0-3 4.2.0-5 4.3.0',
      1,
    ],
    ['heads only', [{ channel: 'stable-4.1' }, { channel: 'stable-4.2' }], '4.1.0-6 4.2.0-3 4.2.0-5', 0],
    [
      'OKD channels: no way between them',
      [
        { channel: 'stable-4.1', type: 'okd' as const },
        { channel: 'stable-4.2', type: 'okd' as const },
      ],
      '4.1.0-6 4.2.0-5',
      0,
    ],
  ])('selects over %s', async (_name, wishes, versions, warnings) => {
    const found = await selectPlatformReleases(wishes, source);
    expect(found.releases.map(({ version }) => version.text).join(' ')).toBe(versions);
    expect(found.warnings).toHaveLength(warnings);
  });

  it.each([
    [
      'a release its channel does not have',
      [one('stable-4.0', '4.0.0-9'), one('stable-4.1', '4.1.0-6')],
      'RELEASE_UNKNOWN',
    ],
    [
      'a way that leads back',
      [
        { channel: 'stable-4.1', minVersion: '4.0.0-6', maxVersion: '4.0.0-8' },
        { channel: 'stable-4.0', minVersion: '4.0.0-7', maxVersion: '4.2.0' },
      ],
      'IMAGESET_INVALID',
    ],
  ])('refuses %s', async (_name, wishes, code) => {
    await expect(selectPlatformReleases(wishes, source)).rejects.toMatchObject({ code });
  });

  it('refuses a channel without a version in its name', async () => {
    const odd = () => Promise.resolve(graphOf('4.1.0 4.1.1'));
    const wishes = [one('nightly', '4.1.0'), one('stable-4.1', '4.1.1')];
    await expect(selectPlatformReleases(wishes, odd)).rejects.toMatchObject({ code: 'IMAGESET_INVALID' });
  });
});

const fixtures = process.env.EDGEFAB_FIXTURES;
describe.skipIf(fixtures === undefined)('a real graph (needs EDGEFAB_FIXTURES)', () => {
  const load = () => loadGraph(join(fixtures ?? '', 'graph', 'amd64-stable-4.13.json'));
  it.each<[string, Asked, string | number]>([
    ['the release of the seed', { minVersion: '4.13.1', maxVersion: '4.13.1' }, '4.13.1'],
    [
      'the range 4.13.9 to 4.13.12',
      { minVersion: '4.13.9', maxVersion: '4.13.12' },
      '4.13.9 4.13.10 4.13.11 4.13.12',
    ],
    ['everything', { full: true }, 98],
    ['the head', {}, 1],
  ])('selects %s', async (_name, asked, expected) => {
    const graph = await load();
    const { releases } = selectReleases(graph, { channel: 'stable-4.13', ...asked });
    if (typeof expected === 'number') expect(releases).toHaveLength(expected);
    else expect(releases.map(({ version }) => version.text).join(' ')).toBe(expected);
    expect(releases.every(({ payload }) => /@sha256:[0-9a-f]{64}$/.test(payload))).toBe(true);
  });

  it('finds a path whose every step is an edge', async () => {
    const graph = await load();
    const asked = {
      channel: 'stable-4.13',
      minVersion: '4.13.32',
      maxVersion: '4.13.41',
      shortestPath: true,
    };
    const { releases } = selectReleases(graph, asked);
    expect(releases[0]?.version.text).toBe('4.13.32');
    expect(releases.at(-1)?.version.text).toBe('4.13.41');
    expect(releases).toHaveLength(4);
    const steps = new Set(
      graph.edges.map(([a, b]) => `${graph.nodes[a]?.version.text}>${graph.nodes[b]?.version.text}`),
    );
    for (const [at, { version }] of releases.entries())
      if (at > 0) expect(steps).toContain(`${releases[at - 1]?.version.text}>${version.text}`);
  });
});
