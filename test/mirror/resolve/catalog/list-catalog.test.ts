import { describe, expect, it } from 'vitest';
import { listCatalog } from '../../../../src/mirror/resolve/catalog/list-catalog.ts';
import { catalogOf } from './made-up-catalog.ts';

const catalog = catalogOf({
  'lvms-operator': {
    defaultChannel: 'stable-4.13',
    channels: {
      'stable-4.12': ['lvms-operator.v4.12.1'],
      'stable-4.13': [
        { name: 'lvms-operator.v4.13.10', replaces: 'lvms-operator.v4.13.9' },
        { name: 'lvms-operator.v4.13.9', replaces: 'lvms-operator.v4.12.1' },
      ],
      broken: ['lvms-operator.v4.12.1', 'lvms-operator.v4.13.9'],
    },
    properties: {
      'lvms-operator.v4.12.1': [
        { type: 'olm.csv.metadata', value: { displayName: 'LVM Storage, old name' } },
      ],
      'lvms-operator.v4.13.10': [{ type: 'olm.csv.metadata', value: { displayName: 'LVM Storage' } }],
    },
  },
  bar: { channels: { alpha: ['bar.v0.1.0'] } },
});

describe('listCatalog', () => {
  it('lists packages', () => {
    expect(listCatalog(catalog).packages).toEqual([
      { name: 'bar', displayName: '', defaultChannel: 'alpha' },
      { name: 'lvms-operator', displayName: 'LVM Storage', defaultChannel: 'stable-4.13' },
    ]);
  });

  it('lists the channels of a package', () => {
    expect(listCatalog(catalog, { package: 'lvms-operator' })).toEqual({
      packages: [{ name: 'lvms-operator', displayName: 'LVM Storage', defaultChannel: 'stable-4.13' }],
      channels: [
        { package: 'lvms-operator', channel: 'broken', head: undefined },
        { package: 'lvms-operator', channel: 'stable-4.12', head: 'lvms-operator.v4.12.1' },
        { package: 'lvms-operator', channel: 'stable-4.13', head: 'lvms-operator.v4.13.10' },
      ],
      versions: [],
    });
  });

  it('lists the versions of a channel, lowest first', () => {
    expect(listCatalog(catalog, { package: 'lvms-operator', channel: 'stable-4.13' }).versions).toEqual([
      { version: '4.13.9', bundle: 'lvms-operator.v4.13.9' },
      { version: '4.13.10', bundle: 'lvms-operator.v4.13.10' },
    ]);
  });

  it.each([
    [{ package: 'lvm' }, 'Did you mean "lvms-operator"?'],
    [{ package: 'lvms-operater' }, 'Did you mean "lvms-operator"?'],
    [{ package: 'lvms-operator', channel: 'stable-4.31' }, 'Did you mean "stable-4.13"?'],
  ])('hints at the name nearest to %j', (wanted, hint) => {
    expect(() => listCatalog(catalog, wanted)).toThrow(
      expect.objectContaining({ code: 'CATALOG_CONTENT_UNKNOWN', suggestions: [hint] }),
    );
  });
});
