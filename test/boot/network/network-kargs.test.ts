import { describe, expect, test } from 'vitest';
import type { NetworkInterface } from '../../../src/boot/network/machine-network.ts';
import { networkKargs } from '../../../src/boot/network/network-kargs.ts';
import { renderKeyfiles } from '../../../src/boot/network/render-keyfiles.ts';
import { hasNetworkManager, networkManagerSkip, profilesOfKargs } from '../../support/network-manager.ts';
import { parseKeyfile } from '../../support/parse-keyfile.ts';
import { MAC, network, OTHER_MAC, SHAPES, V4 } from './shapes.ts';

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
    ['10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'],
    [
      'rd.neednet=1',
      'ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:eth0:none:10.0.0.1:10.0.0.2',
      'nameserver=10.0.0.3',
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
  [
    'several addresses: the router is named once, by the one that reaches it',
    [{ name: 'eth0', addresses: ['10.0.1.5/24', '10.0.0.5/24', '10.0.0.6/24'], gateway: '10.0.0.1' }],
    [],
    [
      'rd.neednet=1',
      'ip=10.0.1.5:::255.255.255.0:bip:eth0:none',
      'ip=10.0.0.5::10.0.0.1:255.255.255.0:bip:eth0:none',
      'ip=10.0.0.6:::255.255.255.0:bip:eth0:none',
    ],
  ],
  [
    'a VLAN by MAC',
    [{ mac: MAC, vlan: 100, ...V4 }],
    [],
    [
      'rd.neednet=1',
      `ifname=edge0:${MAC}`,
      'vlan=edge0.100:edge0',
      'ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:edge0.100:none',
    ],
  ],
  [
    'a bond by MAC, one member by name, with a VLAN on top',
    [
      { name: 'bond0', bond: { mode: '802.3ad', members: [MAC, OTHER_MAC, 'eno3'] }, ...V4 },
      { name: 'bond0', vlan: 7, dhcp: true },
    ],
    [],
    [
      'rd.neednet=1',
      `bond=bond0:edge0,edge1,eno3:mode=802.3ad,miimon=100`,
      'ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:bond0:none',
      `ifname=edge0:${MAC}`,
      `ifname=edge1:${OTHER_MAC}`,
      'vlan=bond0.7:bond0',
      'ip=bond0.7:dhcp',
    ],
  ],
  [
    'a made-up name that another card has already',
    [
      { mac: MAC, dhcp: true },
      { mac: OTHER_MAC, name: 'edge0', dhcp: true },
    ],
    [],
    ['rd.neednet=1', `ifname=edge1:${MAC}`, 'ip=edge1:dhcp', `ifname=edge0:${OTHER_MAC}`, 'ip=edge0:dhcp'],
  ],
  ['no interface', [], ['10.0.0.1'], []],
])('%s', (_name, interfaces, dns, want) => {
  expect(networkKargs(network(interfaces, dns), 'bip')).toEqual(want);
});

type Profile = Record<string, Record<string, string>>;

/** What a profile does with addresses, in the words both ways share. */
function addressingOf({ ipv4 = {}, ipv6 = {} }: Profile): unknown {
  return [ipv4, ipv6].map(({ method, ...rest }) => {
    const kept = Object.entries(rest).filter(([key]) => /^address[0-9]+$/.test(key));
    return { method, ...Object.fromEntries(kept) };
  });
}

/** All servers of some profiles; the arguments name them on the first link, the keyfiles on each. */
function serversOf(profiles: readonly Profile[]): string[] {
  const lists = profiles.flatMap(({ ipv4, ipv6 }) => [ipv4?.dns, ipv6?.dns]);
  return [...new Set(lists.flatMap((list) => list?.split(';').filter(Boolean) ?? []))].sort();
}

describe.skipIf(!hasNetworkManager)(`the initramfs of NetworkManager as judge${networkManagerSkip}`, () => {
  test.each(Object.entries(SHAPES))('%s: the arguments mean what the keyfiles say', (_name, shape) => {
    const kargs = networkKargs(shape, 'bip');
    const theirs = profilesOfKargs(kargs);
    const renamed = new Map(
      kargs.flatMap((karg) => {
        const [, name = '', mac] = /^ifname=([^:]+):(.+)$/.exec(karg) ?? [];
        return mac === undefined ? [] : [[mac, name] as const];
      }),
    );
    const ours = renderKeyfiles(shape).map(({ text }) => parseKeyfile(text));
    expect(theirs.size).toBe(ours.length);
    const uuidsOfTheirs = new Map<string, string>();
    const pairs = ours.map((our) => {
      const mac = our.ethernet?.['mac-address']?.toLowerCase();
      const name = mac === undefined ? our.connection?.['interface-name'] : renamed.get(mac);
      const their = parseKeyfile(theirs.get(name ?? '') ?? '');
      uuidsOfTheirs.set(their.connection?.uuid ?? '', our.connection?.uuid ?? '');
      uuidsOfTheirs.set(name ?? '', our.connection?.uuid ?? '');
      return { our, their };
    });
    for (const { our, their } of pairs) {
      expect(their.connection?.type).toBe(our.connection?.type);
      expect(their.bond).toEqual(our.bond);
      expect(their.vlan?.id).toBe(our.vlan?.id);
      expect(uuidsOfTheirs.get(their.vlan?.parent ?? '')).toBe(our.vlan?.parent);
      expect(uuidsOfTheirs.get(their.connection?.master ?? '')).toBe(our.connection?.master);
      // A bond's cards have no addresses of their own; the initramfs writes no section for them either.
      expect(addressingOf(their)).toEqual(addressingOf(our));
    }
    expect(serversOf([...theirs.values()].map(parseKeyfile))).toEqual(serversOf(ours));
  });
});
