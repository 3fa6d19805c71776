import { describe, expect, test } from 'vitest';
import type { DemoFile } from '../../src/factory/demo/demo-ignition-options.ts';
import { planNetwork, takeOverKargs } from '../../src/factory/plan-network.ts';
import type { Site } from '../../src/factory/site.ts';
import { MAC, network, V4 } from '../boot/network/shapes.ts';
import { bipIgnition } from '../support/bip-ignition.ts';

const SITE: Site = {
  name: 'bip',
  clusterName: 'bip',
  hostname: 'bip',
  machine: {},
  cache: { mode: 'registry', location: 'usb', keepOnNode: true },
  dns: 'local',
  network: network([{ mac: MAC, ...V4 }]),
  ntp: { servers: [] },
  certificates: {},
  overlays: [],
  manifests: [],
  kargs: { append: [], delete: [] },
  place: { file: 'factory.yaml', line: 9 },
};
const { network: _network, ...BARE } = SITE;
const READS = { installerConfig: true, liveInitrdNetwork: true, installerDirectives: [] };
const OLD = { ...READS, liveInitrdNetwork: false };
const KEYFILE = 'edgefab-28-d2-44-d3-ef-1c.nmconnection';

describe('the way a network goes in', () => {
  test('an image that reads keyfiles gets those of the node', () => {
    const { way, keyfiles, networkFiles, kargs } = planNetwork(SITE, READS);
    expect({ way, kargs }).toEqual({ way: 'keyfile in the embed area', kargs: [] });
    expect(keyfiles.map(({ name }) => name)).toEqual([KEYFILE]);
    expect(networkFiles?.map(({ bytes }) => Buffer.from(bytes).toString())).toEqual(
      keyfiles.map(({ text }) => text),
    );
  });

  test('an older image gets kernel arguments; the node its keyfiles all the same', () => {
    const { way, keyfiles, networkFiles, kargs } = planNetwork(SITE, OLD);
    expect(way).toBe('kernel arguments');
    expect(kargs).toContain(`ifname=edge0:${MAC}`);
    expect(keyfiles).toHaveLength(1);
    expect(networkFiles).toBeUndefined();
  });

  test.each([READS, OLD])('a site without a network asks DHCP', (features) => {
    for (const site of [BARE, { ...BARE, network: network([]) }])
      expect(planNetwork(site, features)).toMatchObject({ way: 'DHCP', keyfiles: [], kargs: [] });
  });

  test('what cannot be is refused with the place of the site', () => {
    const wrong = { ...SITE, network: network([{ mac: 'x', ...V4 }]) };
    expect(() => planNetwork(wrong, READS)).toThrow(
      expect.objectContaining({
        code: 'USAGE_INVALID',
        message: expect.stringContaining('site bip: network.interfaces[0].mac: got "x"'),
        place: { file: 'factory.yaml', line: 9, field: 'network.interfaces[0].mac' },
      }),
    );
  });
});

describe('an Ignition config with profiles of its own does not shut out the embedded ones', () => {
  const profile = (path: string): DemoFile => ({ path, mode: 0o600, text: '[connection]\n' });
  test.each<[string, Site, DemoFile[], string[]]>([
    ['no profile', SITE, [profile('/etc/NetworkManager/conf.d/x.conf')], []],
    [
      'a keyfile',
      SITE,
      [profile('/etc/NetworkManager/system-connections/x.nmconnection')],
      ['coreos.force_persist_ip'],
    ],
    ['an ifcfg file', SITE, [profile('/etc/sysconfig/network-scripts/ifcfg-x')], ['coreos.force_persist_ip']],
    ['a keyfile, and DHCP', BARE, [profile('/etc/NetworkManager/system-connections/x.nmconnection')], []],
  ])('%s', (_name, site, files, want) => {
    const ignition = bipIgnition({ extraFiles: files });
    expect(takeOverKargs(planNetwork(site, READS), ignition)).toEqual(want);
  });
});
