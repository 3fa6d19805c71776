import type { MachineNetwork, NetworkInterface } from '../../../src/boot/network/machine-network.ts';

export const MAC = '28:d2:44:d3:ef:1c';
export const OTHER_MAC = '28:d2:44:d3:ef:1d';
export const V4 = { addresses: ['192.168.86.45/24'], gateway: '192.168.86.1' };

/** A network of interfaces that say only what matters. */
export function network(interfaces: Partial<NetworkInterface>[], dns: string[] = []): MachineNetwork {
  return { interfaces: interfaces.map((item) => ({ addresses: [], dhcp: false, ...item })), dns };
}

const DNS = ['192.168.86.27', '192.168.86.28'];
const bond = { mode: '802.3ad', members: [MAC, OTHER_MAC] };

/** Every shape of network a site can have, by the name of its golden file. */
export const SHAPES: Readonly<Record<string, MachineNetwork>> = {
  'by-mac': network([{ mac: MAC, ...V4 }], DNS),
  'by-mac-and-name': network([{ mac: MAC, name: 'enp0s25', ...V4 }], DNS),
  'by-name': network([{ name: 'enp0s25', ...V4 }], ['192.168.86.27']),
  'no-gateway': network([{ mac: MAC, addresses: ['10.0.0.5/8'] }]),
  'several-addresses': network([
    { mac: MAC, addresses: ['10.0.1.5/24', '10.0.0.5/24'], gateway: '10.0.0.1' },
  ]),
  ipv6: network([{ mac: MAC, addresses: ['fd00::5/64'], gateway: 'fd00::1' }], ['fd00::53']),
  'both-families': network(
    [{ mac: MAC, addresses: ['10.0.0.5/20', 'fd00::5/64', 'fd00:1::5/64'], gateway: 'fe80::1' }],
    ['10.0.0.1', 'fd00::53'],
  ),
  'dhcp-by-mac': network([{ mac: MAC, dhcp: true }], ['10.0.0.1', 'fd00::53']),
  'dhcp-by-name': network([{ name: 'eno1', dhcp: true }]),
  'two-cards': network(
    [
      { mac: MAC, ...V4 },
      { name: 'eno2', addresses: ['10.9.0.5/24'], gateway: '10.9.0.1' },
    ],
    DNS,
  ),
  'vlan-by-mac': network([{ mac: MAC, vlan: 100, ...V4 }], DNS),
  'vlan-by-name': network([{ name: 'eno1', vlan: 100, dhcp: true }]),
  'card-and-vlans': network([
    { name: 'eno1', mac: MAC, ...V4 },
    { name: 'eno1', vlan: 100, addresses: ['10.1.0.5/24'] },
    { mac: MAC, vlan: 200, addresses: ['10.2.0.5/24'] },
  ]),
  'bond-by-mac': network([{ name: 'bond0', bond, ...V4 }], DNS),
  'bond-by-name': network([
    { name: 'bond0', bond: { mode: 'active-backup', members: ['eno1', 'eno2'] }, dhcp: true },
  ]),
  'vlan-on-bond': network([{ name: 'bond0', bond, vlan: 100, ...V4 }], DNS),
  'bond-and-vlans': network([
    { name: 'bond0', vlan: 200, addresses: ['10.2.0.5/24'] },
    { name: 'bond0', bond, ...V4 },
    { name: 'eno4', addresses: ['10.3.0.5/24'] },
  ]),
};

/** One of each kind, for tests that take their time. */
export const NETWORKS = Object.entries(SHAPES).filter(([name]) =>
  ['by-mac', 'both-families', 'bond-and-vlans'].includes(name),
);
