import { expect, test } from 'vitest';
import { networkKargs } from '../../src/factory/network.ts';
import type { NetworkInterface, Site } from '../../src/factory/site.ts';

function site(interfaces: Partial<NetworkInterface>[], dns: string[] = []): Site {
  return {
    name: 'bip',
    clusterName: 'bip',
    hostname: 'bip',
    machine: {},
    cache: { mode: 'registry', location: 'usb', keepOnNode: true },
    dns: 'local',
    network: { interfaces: interfaces.map((item) => ({ addresses: [], dhcp: false, ...item })), dns },
    ntp: { servers: [] },
    certificates: {},
    overlays: [],
    manifests: [],
    kargs: { append: [], delete: [] },
    place: { file: 'factory.yaml', line: 9 },
  };
}

const V4 = { addresses: ['192.168.86.45/24'], gateway: '192.168.86.1' };
const MAC = '28:d2:44:d3:ef:1c';

test.each<[string, Partial<NetworkInterface>[], string[], string[]]>([
  [
    'by name, as the manual procedure writes it',
    [{ name: 'enp0s25', ...V4 }],
    ['192.168.86.27'],
    ['rd.neednet=1', 'ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:enp0s25:none:192.168.86.27'],
  ],
  [
    'by MAC',
    [{ mac: MAC, ...V4 }],
    ['10.0.0.1', '10.0.0.2'],
    [
      'rd.neednet=1',
      `ifname=edge0:${MAC}`,
      'ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:edge0:none:10.0.0.1:10.0.0.2',
    ],
  ],
  [
    'by MAC with a name of its own',
    [{ mac: MAC, name: 'uplink', ...V4 }],
    [],
    ['rd.neednet=1', `ifname=uplink:${MAC}`, 'ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:uplink:none'],
  ],
  [
    "by MAC although a name of the kernel's is given",
    [{ mac: MAC, name: 'eno1', ...V4 }],
    [],
    ['rd.neednet=1', `ifname=edge0:${MAC}`, 'ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:edge0:none'],
  ],
  [
    'more servers than ip= takes',
    [{ name: 'eth0', ...V4 }],
    ['10.0.0.1', '10.0.0.2', 'fd00::53', '10.0.0.4'],
    [
      'rd.neednet=1',
      'ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:eth0:none:10.0.0.1:10.0.0.2',
      'nameserver=[fd00::53]',
      'nameserver=10.0.0.4',
    ],
  ],
  [
    'IPv6',
    [{ name: 'eth0', addresses: ['fd00::5/64'], gateway: 'fd00::1' }],
    ['fd00::53'],
    ['rd.neednet=1', 'ip=[fd00::5]::[fd00::1]:64:bip:eth0:none:[fd00::53]'],
  ],
  [
    'both families, a link-local router',
    [{ name: 'eth0', addresses: ['10.0.0.5/20', 'fd00::5/64'], gateway: 'fe80::1' }],
    ['10.0.0.1'],
    [
      'rd.neednet=1',
      'ip=10.0.0.5:::255.255.240.0:bip:eth0:none:10.0.0.1',
      'ip=[fd00::5]::[fe80::1]:64:bip:eth0:none',
    ],
  ],
  [
    'no gateway',
    [{ name: 'eth0', addresses: ['10.0.0.5/8'] }],
    [],
    ['rd.neednet=1', 'ip=10.0.0.5:::255.0.0.0:bip:eth0:none'],
  ],
  [
    'DHCP, by name and by MAC',
    [
      { name: 'eth0', dhcp: true },
      { mac: MAC, dhcp: true },
    ],
    ['10.0.0.1'],
    ['rd.neednet=1', 'ip=eth0:dhcp', `ifname=edge1:${MAC}`, 'ip=edge1:dhcp', 'nameserver=10.0.0.1'],
  ],
  ['no interface', [], ['10.0.0.1'], []],
])('%s', (_name, interfaces, dns, want) => {
  expect(networkKargs(site(interfaces, dns))).toEqual(want);
});

test('no network asks for nothing', () => {
  const { network: _network, ...bare } = site([]);
  expect(networkKargs(bare)).toEqual([]);
});

test.each<[string, Partial<NetworkInterface>]>([
  ['vlan', { name: 'eth0', vlan: 100, ...V4 }],
  ['bond', { name: 'bond0', bond: { mode: '802.3ad', members: ['eth0', 'eth1'] }, ...V4 }],
])('a %s is refused', (thing, item) => {
  expect(() => networkKargs(site([item]))).toThrow(
    expect.objectContaining({
      code: 'MODE_UNSUPPORTED',
      exitCode: 4,
      message: `site bip asks for a ${thing} in network.interfaces[0], which is not supported yet`,
      place: { file: 'factory.yaml', line: 9, field: `network.interfaces[0].${thing}` },
    }),
  );
});
