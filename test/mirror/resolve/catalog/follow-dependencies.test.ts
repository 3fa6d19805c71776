import { describe, expect, it } from 'vitest';
import { filterCatalog } from '../../../../src/mirror/resolve/catalog/filter-catalog.ts';
import { catalogOf } from './made-up-catalog.ts';

function gvk(type: 'olm.gvk' | 'olm.gvk.required', kind: string): unknown {
  return { type, value: { group: 'edge', version: 'v1', kind } };
}

function needs(packageName: string, versionRange?: string): unknown {
  return { type: 'olm.package.required', value: { packageName, versionRange } };
}

const catalog = catalogOf({
  needy: {
    channels: { stable: ['needy.v1.0.0'] },
    properties: {
      'needy.v1.0.0': [gvk('olm.gvk.required', 'Disk'), needs('net', '>=1.0.0 <2.0.0'), needs('nowhere')],
    },
  },
  disk: {
    defaultChannel: 'b',
    channels: {
      a: [{ name: 'disk.v1.1.0', replaces: 'disk.v1.0.0' }, 'disk.v1.0.0'],
      b: [{ name: 'disk.v1.2.0', replaces: 'disk.v1.1.0' }, 'disk.v1.1.0'],
    },
    properties: {
      'disk.v1.0.0': [gvk('olm.gvk', 'Disk')],
      'disk.v1.1.0': [gvk('olm.gvk', 'Disk'), needs('deep')],
    },
  },
  net: {
    channels: {
      x: [
        { name: 'net.v2.0.0', replaces: 'net.v1.5.0' },
        { name: 'net.v1.5.0', skips: ['net.v1.4.0'] },
        'net.v1.4.0',
      ],
    },
  },
  deep: {
    channels: { y: ['deep.v0.1.0'] },
    properties: { 'deep.v0.1.0': [gvk('olm.gvk.required', 'Disk')] },
  },
  other: { channels: { z: ['other.v1.0.0'] } },
});

const request = { packages: [{ name: 'needy' }] };

function chosen(follow: boolean): string[] {
  return filterCatalog(catalog, { ...request, followDependencies: follow }, 'v1alpha2').packages.flatMap(
    ({ name, channels }) =>
      channels.flatMap((channel) =>
        channel.bundles.map((bundle) => `${name}/${channel.name} ${bundle.version}: ${bundle.reason}`),
      ),
  );
}

describe('followDependencies', () => {
  it('is left out unless asked for', () => {
    expect(chosen(false)).toEqual(['needy/stable 1.0.0: head of the channel']);
  });

  it('adds the latest providers, in the default channel where that has them, and the way up to the head', () => {
    expect(chosen(true)).toEqual([
      'deep/y 0.1.0: required package deep',
      'disk/b 1.1.0: required API edge/v1/Disk',
      'disk/b 1.2.0: update path above required API edge/v1/Disk',
      'needy/stable 1.0.0: head of the channel',
      'net/x 1.5.0: required package net >=1.0.0 <2.0.0',
      'net/x 2.0.0: update path above required package net >=1.0.0 <2.0.0',
    ]);
  });

  it('refuses a required range that is none', () => {
    const bad = catalogOf({
      a: { channels: { s: ['a.v1.0.0'] }, properties: { 'a.v1.0.0': [needs('b', 'latest')] } },
      b: { channels: { s: ['b.v1.0.0'] } },
    });
    expect(() => filterCatalog(bad, { followDependencies: true }, 'v1alpha2')).toThrow(
      'in versions "latest"',
    );
  });
});
