import { describe, expect, it } from 'vitest';
import type {
  CatalogRequest,
  CatalogSemantics,
} from '../../../../src/mirror/resolve/catalog/catalog-request.ts';
import { filterCatalog } from '../../../../src/mirror/resolve/catalog/filter-catalog.ts';
import { catalogOf } from './made-up-catalog.ts';

const catalog = catalogOf({
  lamp: {
    defaultChannel: 'stable',
    channels: {
      fast: [{ name: 'lamp.v2.0.0', replaces: 'lamp.v1.3.0' }, { name: 'lamp.v1.3.0' }],
      stable: [
        { name: 'lamp.v1.3.0', replaces: 'lamp.v1.2.0', skips: ['lamp.v1.2.1'], skipRange: '>=1.0.0 <1.3.0' },
        'lamp.v1.2.1',
        { name: 'lamp.v1.2.0', replaces: 'lamp.v1.1.0' },
        { name: 'lamp.v1.1.0', replaces: 'lamp.v1.0.0' },
        'lamp.v1.0.0',
      ],
    },
  },
  mesh: { channels: { 'stable-3': ['mesh.v3.0.0'] } },
  // Builds of OpenShift: every version a prerelease, the newest skips the rest.
  nfd: {
    channels: {
      stable: [
        {
          name: 'nfd.v4.13.0-202305262054',
          replaces: 'nfd.v4.12.0-202301',
          skips: ['nfd.v4.13.0-202304', 'nfd.v4.12.0-202302'],
        },
        { name: 'nfd.v4.13.0-202304', replaces: 'nfd.v4.12.0-202301' },
        'nfd.v4.12.0-202302',
        { name: 'nfd.v4.12.0-202301', replaces: 'nfd.v4.11.0-202201' },
      ],
    },
    extraBundles: ['nfd.v4.11.0-202201', 'nfd.v4.10.0-1'],
  },
  // The replaces chain does not follow the versions.
  holes: {
    channels: {
      stable: [
        { name: 'holes.v1.5.0', replaces: 'holes.v1.2.0' },
        { name: 'holes.v1.2.0', replaces: 'holes.v1.4.0' },
        { name: 'holes.v1.4.0', replaces: 'holes.v1.0.0' },
        'holes.v1.0.0',
      ],
    },
  },
  ranked: {
    channels: { main: ['ranked.v3.0.0'], a: ['ranked.v1.0.0'], b: ['ranked.v2.0.0'] },
    priorities: { a: 1, b: 2 },
  },
  builds: { channels: { stable: ['builds.v1.0.0+5'] }, versions: { 'builds.v1.0.0+5': '1.0.0+5' } },
});

/** What is chosen, as `package/channel: version version`. */
function chosen(request: CatalogRequest, semantics: CatalogSemantics): string[] {
  return filterCatalog(catalog, request, semantics).packages.flatMap(({ name, channels, unchannelled }) => [
    ...channels.map(
      (channel) => `${name}/${channel.name}: ${channel.bundles.map(({ version }) => version).join(' ')}`,
    ),
    ...unchannelled.map(({ version }) => `${name}: ${version}`),
  ]);
}

function lamp(rest: object, name = 'lamp'): CatalogRequest {
  return { packages: [{ name, ...rest }] };
}

const HEADS = [
  'builds/stable: 1.0.0+5',
  'holes/stable: 1.5.0',
  'lamp/fast: 2.0.0',
  'lamp/stable: 1.3.0',
  'mesh/stable-3: 3.0.0',
  'nfd/stable: 4.13.0-202305262054',
  'ranked/a: 1.0.0',
  'ranked/b: 2.0.0',
  'ranked/main: 3.0.0',
];
const BOTH_HEADS = ['lamp/fast: 2.0.0', 'lamp/stable: 1.3.0'];
const STABLE = 'lamp/stable: 1.0.0 1.1.0 1.2.0 1.2.1 1.3.0';

function stable(bounds: object): CatalogRequest {
  return lamp({ channels: [{ name: 'stable', ...bounds }] });
}

const same: [string, CatalogRequest, string[]][] = [
  ['heads of all channels of all packages', {}, HEADS],
  ['heads of all channels of a package', lamp({}), BOTH_HEADS],
  ['the head of a named channel', stable({}), ['lamp/stable: 1.3.0']],
  ['heads of named channels', lamp({ channels: [{ name: 'fast' }, { name: 'stable' }] }), BOTH_HEADS],
  [
    'two packages',
    { packages: [{ name: 'mesh' }, { name: 'lamp' }] },
    [...BOTH_HEADS, 'mesh/stable-3: 3.0.0'],
  ],
  ['a package in full', { full: true, ...lamp({}) }, ['lamp/fast: 1.3.0 2.0.0', STABLE]],
  ['a channel in full', { full: true, ...stable({}) }, [STABLE]],
  ['an upper bound on a channel', stable({ maxVersion: '1.1.0' }), ['lamp/stable: 1.0.0 1.1.0']],
  [
    'both bounds on a channel',
    stable({ minVersion: '1.1.0', maxVersion: '1.2.0' }),
    ['lamp/stable: 1.1.0 1.2.0'],
  ],
  ['one version of a channel', stable({ minVersion: '1.1.0', maxVersion: '1.1.0' }), ['lamp/stable: 1.1.0']],
  [
    'another default channel',
    lamp({ defaultChannel: 'fast', channels: [{ name: 'fast' }] }),
    ['lamp/fast: 2.0.0'],
  ],
  [
    'build metadata',
    lamp({ channels: [{ name: 'stable', minVersion: '1.0.0', maxVersion: '1.0.1' }] }, 'builds'),
    ['builds/stable: 1.0.0+5'],
  ],
];

const apart: [string, CatalogRequest, v1: string[] | string, v2: string[] | string][] = [
  // v1 goes up by replaces alone from a version that must be there; v2 takes what its range holds, skipped ones too.
  [
    'a lower bound',
    stable({ minVersion: '1.2.0' }),
    ['lamp/stable: 1.2.0 1.3.0'],
    ['lamp/stable: 1.2.0 1.2.1 1.3.0'],
  ],
  [
    'a lower bound that is no version',
    stable({ minVersion: '1.1.5' }),
    'has no version 1.1.5 in channel "stable" of package "lamp"; there are: 1.0.0, 1.1.0, 1.2.0, 1.2.1, 1.3.0',
    ['lamp/stable: 1.2.0 1.2.1 1.3.0'],
  ],
  [
    'a lower bound that only a skipped one has',
    stable({ minVersion: '1.2.1' }),
    ['lamp/stable: 1.2.1'],
    ['lamp/stable: 1.2.1 1.3.0'],
  ],
  [
    'a range over skipped ones',
    stable({ minVersion: '1.2.0', maxVersion: '1.2.9' }),
    '2 heads are left: lamp.v1.2.0, lamp.v1.2.1',
    ['lamp/stable: 1.2.0 1.2.1 1.3.0'],
  ],
  [
    'a lower bound on the package',
    lamp({ minVersion: '1.3.0' }),
    ['lamp/fast: 1.3.0 2.0.0', 'lamp/stable: 1.3.0'],
    ['lamp/fast: 1.3.0 2.0.0', 'lamp/stable: 1.3.0'],
  ],
  [
    'a lower bound on the package that one channel has',
    lamp({ minVersion: '1.2.0' }),
    ['lamp/stable: 1.2.0 1.3.0'],
    ['lamp/fast: 1.3.0 2.0.0', 'lamp/stable: 1.2.0 1.2.1 1.3.0'],
  ],
  [
    'an upper bound on the package',
    lamp({ maxVersion: '1.1.0' }),
    ['lamp/stable: 1.0.0 1.1.0'],
    ['lamp/stable: 1.0.0 1.1.0'],
  ],
  [
    'a range on the package with named channels',
    lamp({ minVersion: '1.1.0', maxVersion: '1.2.0', channels: [{ name: 'stable' }] }),
    ['lamp/stable: 1.3.0'],
    ['lamp/stable: 1.1.0 1.2.0'],
  ],
  [
    'a lower bound on the package with named channels',
    lamp({ minVersion: '1.3.0', channels: [{ name: 'stable' }] }),
    ['lamp/fast: 1.3.0 2.0.0', 'lamp/stable: 1.3.0'],
    ['lamp/stable: 1.3.0'],
  ],
  [
    'one version on the package',
    lamp({ minVersion: '1.1.0', maxVersion: '1.1.0' }),
    ['lamp/stable: 1.1.0'],
    ['lamp/fast: 1.1.0', 'lamp/stable: 1.1.0'],
  ],
  [
    'a bound with two parts',
    stable({ maxVersion: '1.1' }),
    'want three numbers',
    ['lamp/stable: 1.0.0 1.1.0'],
  ],
  ['a bound with one part', stable({ maxVersion: 'v1' }), 'want three numbers', [STABLE]],
  [
    'a lower bound with two parts',
    stable({ minVersion: '1.2' }),
    'want three numbers',
    ['lamp/stable: 1.2.0 1.2.1 1.3.0'],
  ],
  [
    'a bound that is no version',
    stable({ minVersion: 'one' }),
    'want three numbers',
    'has minVersion "one", want a version like',
  ],
  [
    'a hole in the chain',
    lamp({ channels: [{ name: 'stable', minVersion: '1.4.0', maxVersion: '1.5.0' }] }, 'holes'),
    '2 heads are left',
    ['holes/stable: 1.2.0 1.4.0 1.5.0'],
  ],
  [
    'prereleases by a release',
    lamp({ channels: [{ name: 'stable', maxVersion: '4.13.0' }] }, 'nfd'),
    ['nfd/stable: 4.12.0-202301 4.12.0-202302 4.13.0-202304 4.13.0-202305262054'],
    'has no version within "<=4.13.0" in channel "stable" of package "nfd"; there are: 4.12.0-202301, 4.12.0-202302',
  ],
  [
    'prereleases by a prerelease',
    lamp(
      { channels: [{ name: 'stable', minVersion: '4.12.0-202302', maxVersion: '4.13.0-202305262054' }] },
      'nfd',
    ),
    ['nfd/stable: 4.12.0-202302 4.13.0-202304 4.13.0-202305262054'],
    ['nfd/stable: 4.12.0-202302 4.13.0-202304 4.13.0-202305262054'],
  ],
  [
    'a bundle that only a dangling replaces names',
    lamp({ channels: [{ name: 'stable', maxVersion: '4.12.0-202301' }] }, 'nfd'),
    ['nfd/stable: 4.12.0-202301'],
    ['nfd/stable: 4.11.0-202201 4.12.0-202301'],
  ],
  [
    'a prerelease by its release',
    lamp({ channels: [{ name: 'stable', minVersion: '4.12.0' }] }, 'nfd'),
    ['nfd/stable: 4.12.0-202301 4.12.0-202302 4.13.0-202304 4.13.0-202305262054'],
    'within ">=4.12.0"',
  ],
  [
    'the default channel left out',
    lamp({ channels: [{ name: 'fast' }] }),
    ['lamp/fast: 2.0.0'],
    'leaves out its default channel "stable"',
  ],
  [
    'the default channel left out of several',
    lamp({ channels: [{ name: 'a' }, { name: 'b' }] }, 'ranked'),
    ['ranked/a: 1.0.0', 'ranked/b: 2.0.0'],
    'leaves out its default channel "main"',
  ],
  ['minBundle of a channel', stable({ minBundle: 'lamp.v1.2.0' }), [STABLE], 'only v1alpha2 knows'],
  [
    'minBundle of the package',
    lamp({ minBundle: 'lamp.v1.2.0' }),
    ['lamp/fast: 1.3.0 2.0.0', STABLE],
    'only v1alpha2 knows',
  ],
  [
    'minBundle that is not there',
    stable({ minBundle: 'lamp.v9.0.0' }),
    'has no bundle "lamp.v9.0.0" in channel "stable" of package "lamp"',
    'only v1alpha2 knows',
  ],
  [
    'minBundle that the package has not',
    lamp({ minBundle: 'lamp.v9.0.0' }),
    'has no bundle "lamp.v9.0.0" in package "lamp"',
    'only v1alpha2 knows',
  ],
  [
    'full with versions',
    { full: true, ...stable({ maxVersion: '1.1.0' }) },
    ['lamp/stable: 1.0.0 1.1.0'],
    'has versions beside full: true',
  ],
  [
    'named bundles',
    lamp({ selectedBundles: [{ name: 'lamp.v1.3.0' }, { name: 'lamp.v1.2.0' }] }),
    'which v1alpha2 does not know',
    ['lamp/fast: 1.3.0', 'lamp/stable: 1.2.0 1.3.0'],
  ],
  [
    'named bundles that break a channel',
    lamp({ selectedBundles: [{ name: 'lamp.v1.3.0' }, { name: 'lamp.v1.0.0' }] }),
    'which v1alpha2 does not know',
    'break channel "stable": 2 heads are left',
  ],
  [
    'a named bundle that is not there',
    lamp({ selectedBundles: [{ name: 'lamp.v9' }] }),
    'which v1alpha2 does not know',
    'has no bundle "lamp.v9" in package "lamp"',
  ],
  [
    'named bundles with versions',
    lamp({ minVersion: '1.0.0', selectedBundles: [{ name: 'lamp.v1.3.0' }] }),
    'which v1alpha2 does not know',
    'selectedBundles beside',
  ],
];

const refused: [string, CatalogRequest, code: string, what: string, suggestion?: string][] = [
  [
    'an unknown package',
    { packages: [{ name: 'lampp' }] },
    'CATALOG_CONTENT_UNKNOWN',
    'has no package "lampp"; there are: builds, holes, lamp, mesh, nfd, ranked',
    'Did you mean "lamp"?',
  ],
  [
    'an unknown channel',
    lamp({ channels: [{ name: 'stabel' }] }),
    'CATALOG_CONTENT_UNKNOWN',
    'has no channel "stabel" in package "lamp"; there are: fast, stable',
    'Did you mean "stable"?',
  ],
  [
    'an unknown default channel',
    lamp({ defaultChannel: 'slow' }),
    'CATALOG_CONTENT_UNKNOWN',
    'has no channel "slow"',
  ],
  [
    'a range with nothing in it',
    stable({ minVersion: '7.0.0', maxVersion: '8.0.0' }),
    'CATALOG_CONTENT_UNKNOWN',
    'within ">=7.0.0 <=8.0.0" in channel "stable" of package "lamp"; there are: 1.0.0',
  ],
  [
    'a range of the package with nothing in it',
    lamp({ maxVersion: '0.1.0' }),
    'CATALOG_CONTENT_UNKNOWN',
    'has no version within "<=0.1.0"',
  ],
  [
    'versions of package and channel',
    lamp({ minVersion: '1.0.0', maxVersion: '1.3.0', channels: [{ name: 'stable', maxVersion: '1.1.0' }] }),
    'CATALOG_FILTER_INVALID',
    'has versions of its own and of channel "stable"',
  ],
  [
    'a package twice',
    { packages: [{ name: 'lamp' }, { name: 'lamp' }] },
    'CATALOG_FILTER_INVALID',
    'package "lamp" is listed twice',
  ],
];

describe.each(['v1alpha2', 'v2alpha1'] as const)('filterCatalog by the rules of %s', (semantics) => {
  it.each(same)('takes %s', (_, request, expected) => {
    expect(chosen(request, semantics)).toEqual(expected);
  });

  it.each(apart)('takes or refuses %s', (_, request, v1, v2) => {
    const expected = semantics === 'v1alpha2' ? v1 : v2;
    if (typeof expected === 'string') expect(() => chosen(request, semantics)).toThrow(expected);
    else expect(chosen(request, semantics)).toEqual(expected);
  });

  it.each(refused)('refuses %s', (_, request, code, what, suggestion) => {
    expect(() => chosen(request, semantics)).toThrow(
      expect.objectContaining({
        code,
        message: expect.stringContaining(what),
        ...(suggestion === undefined ? {} : { suggestions: [suggestion] }),
      }),
    );
  });

  it('takes a whole catalog in full, bundles of no channel too', () => {
    const all = chosen({ full: true }, semantics);
    expect(all).toContain(STABLE);
    expect(all).toContain('nfd: 4.10.0-1');
  });

  it('names each image once, with the bundles that need it and why each was taken', () => {
    const selection = filterCatalog(
      catalog,
      { packages: [{ name: 'lamp', channels: [{ name: 'stable' }] }, { name: 'mesh' }] },
      semantics,
    );
    expect(selection.images).toEqual([
      {
        image: 'quay.io/edge/kube-rbac-proxy:1',
        kind: 'related',
        requiredBy: ['operator lamp.v1.3.0', 'operator mesh.v3.0.0'],
      },
      { image: 'quay.io/edge/lamp-bundle:lamp.v1.3.0', kind: 'bundle', requiredBy: ['operator lamp.v1.3.0'] },
      { image: 'quay.io/edge/lamp:lamp.v1.3.0', kind: 'related', requiredBy: ['operator lamp.v1.3.0'] },
      { image: 'quay.io/edge/mesh-bundle:mesh.v3.0.0', kind: 'bundle', requiredBy: ['operator mesh.v3.0.0'] },
      { image: 'quay.io/edge/mesh:mesh.v3.0.0', kind: 'related', requiredBy: ['operator mesh.v3.0.0'] },
    ]);
    expect(selection.packages[0]).toEqual({
      name: 'lamp',
      defaultChannel: 'stable',
      channels: [
        {
          name: 'stable',
          bundles: [{ name: 'lamp.v1.3.0', version: '1.3.0', reason: 'head of the channel' }],
        },
      ],
      unchannelled: [],
    });
  });
});

describe('the default channel of a choice', () => {
  it.each<[string, CatalogRequest, CatalogSemantics, string]>([
    ['stays', lamp({ defaultChannel: 'fast' }), 'v1alpha2', 'stable'],
    ['is the one asked for', lamp({ defaultChannel: 'fast' }), 'v2alpha1', 'fast'],
    ['is the only channel', lamp({ channels: [{ name: 'fast' }] }), 'v1alpha2', 'fast'],
    [
      'is the one of highest priority',
      lamp({ channels: [{ name: 'a' }, { name: 'b' }] }, 'ranked'),
      'v1alpha2',
      'b',
    ],
    [
      'is the one asked for before priority',
      lamp({ defaultChannel: 'a', channels: [{ name: 'a' }, { name: 'b' }] }, 'ranked'),
      'v1alpha2',
      'a',
    ],
  ])('%s', (_, request, semantics, expected) => {
    expect(filterCatalog(catalog, request, semantics).packages[0]?.defaultChannel).toBe(expected);
  });

  it.each(['v1alpha2', 'v2alpha1'] as const)('cannot be one that is left out (%s)', (semantics) => {
    const request = lamp({ defaultChannel: 'main', channels: [{ name: 'a' }, { name: 'b' }] }, 'ranked');
    expect(() => chosen(request, semantics)).toThrow(
      expect.objectContaining({ code: 'CATALOG_FILTER_INVALID' }),
    );
  });
});

describe.each(['v1alpha2', 'v2alpha1'] as const)('a channel that is not sound (%s)', (semantics) => {
  it.each<[string, Parameters<typeof catalogOf>[0]['x']['channels'][string], string]>([
    ['no entries', [], 'package "x", channel "stable" has no entries'],
    [
      'a circle below the head',
      [
        { name: 'x.v3.0.0', replaces: 'x.v2.0.0' },
        { name: 'x.v2.0.0', replaces: 'x.v1.0.0' },
        { name: 'x.v1.0.0', replaces: 'x.v2.0.0' },
      ],
      'in a circle: x.v',
    ],
    [
      'nothing but a circle',
      [
        { name: 'x.v2.0.0', replaces: 'x.v1.0.0' },
        { name: 'x.v1.0.0', skips: ['x.v2.0.0'] },
      ],
      'has no head',
    ],
    ['two heads', ['x.v2.0.0', 'x.v1.0.0'], 'has 2 heads, want one: x.v1.0.0, x.v2.0.0'],
    ['an entry twice', ['x.v1.0.0', 'x.v1.0.0'], 'has entry "x.v1.0.0" twice'],
    [
      'an entry that replaces itself',
      [{ name: 'x.v1.0.0', replaces: 'x.v1.0.0' }],
      'replaces or skips itself',
    ],
  ])('is refused: %s', (_, entries, what) => {
    const bad = catalogOf({ x: { channels: { stable: entries } }, y: { channels: { a: ['y.v1.0.0'] } } });
    const error = expect.objectContaining({
      code: 'CATALOG_INVALID',
      message: expect.stringContaining(what),
    });
    expect(() => filterCatalog(bad, {}, semantics)).toThrow(error);
    expect(() => filterCatalog(bad, { packages: [{ name: 'x' }] }, semantics)).toThrow(error);
    expect(filterCatalog(bad, { packages: [{ name: 'y' }] }, semantics).images).toHaveLength(3);
    expect(filterCatalog(bad, { full: true }, semantics).images.length).toBeGreaterThan(2);
  });

  it('is refused: a head without a bundle', () => {
    const bad = catalogOf({ x: { channels: { stable: ['x.v1.0.0'] }, withoutBundle: ['x.v1.0.0'] } });
    expect(() => filterCatalog(bad, {}, semantics)).toThrow('its head "x.v1.0.0" has no olm.bundle document');
  });

  it('holds tens of thousands of entries', () => {
    const entries = Array.from({ length: 20_000 }, (_, at) => ({
      name: `x.v1.${at}.0`,
      ...(at === 0 ? {} : { replaces: `x.v1.${at - 1}.0` }),
    }));
    const long = catalogOf({ x: { channels: { stable: entries } } });
    const request = { packages: [{ name: 'x', channels: [{ name: 'stable', minVersion: '1.2.0' }] }] };
    expect(filterCatalog(long, request, semantics).packages[0]?.channels[0]?.bundles).toHaveLength(19_998);
  });
});
