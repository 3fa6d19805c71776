import { describe, expect, test } from 'vitest';
import type { MachineNetwork, NetworkInterface } from '../../../src/boot/network/machine-network.ts';
import { networkKargs } from '../../../src/boot/network/network-kargs.ts';
import { networkProblems } from '../../../src/boot/network/network-problems.ts';
import { renderKeyfiles } from '../../../src/boot/network/render-keyfiles.ts';
import { MAC, network, OTHER_MAC, SHAPES, V4 } from './shapes.ts';

test.each(Object.entries(SHAPES))('nothing is wrong with %s', (_name, shape) => {
  expect(networkProblems(shape)).toEqual([]);
});

const bond = { mode: 'active-backup', members: ['eno1', 'eno2'] };
const V4B = { addresses: ['10.9.0.5/24'] };

test.each<[string, Partial<NetworkInterface>[], string[]]>([
  [
    'one card twice by MAC',
    [
      { mac: MAC, ...V4 },
      { mac: MAC, ...V4B },
    ],
    [`1 mac: found ${MAC} again, expected one interface for it, the first is interfaces[0]`],
  ],
  [
    'one card twice by name',
    [
      { name: 'eno1', ...V4 },
      { name: 'eno1', ...V4B },
    ],
    ['1 name: found eno1 again, expected one interface for it, the first is interfaces[0]'],
  ],
  [
    'one card by name, then by name and MAC',
    [
      { name: 'eno1', ...V4 },
      { name: 'eno1', mac: MAC, ...V4B },
    ],
    [`1 mac: found ${MAC} again, expected one interface for it, the first is interfaces[0]`],
  ],
  [
    'one name for two MAC addresses',
    [
      { name: 'eno1', mac: MAC, ...V4 },
      { name: 'eno1', mac: OTHER_MAC, ...V4B },
    ],
    [`1 mac: found ${OTHER_MAC} for eno1, which has ${MAC} in interfaces[0]`],
  ],
  [
    'a VLAN twice',
    [
      { mac: MAC, vlan: 5, ...V4 },
      { mac: MAC, vlan: 5, ...V4B },
    ],
    [`1 vlan: found VLAN 5 of ${MAC} again, the first is interfaces[0]`],
  ],
  [
    'a VLAN on what nothing makes',
    [{ name: 'bond0', vlan: 5, ...V4 }],
    [
      '0 name: found bond0, which is no network card and which nothing here makes, expected an interface with that name and bond',
    ],
  ],
  [
    'a bridge for a card',
    [{ name: 'br0', ...V4 }],
    [
      '0 name: found br0, which is no network card and which nothing here makes, expected an interface with that name and bond',
    ],
  ],
  [
    "a VLAN's own name beside its number",
    [{ name: 'eno1.5', vlan: 5, ...V4 }],
    ['0 name: found eno1.5, expected the card or bond that carries VLAN 5: eno1'],
  ],
  [
    "a VLAN's name alone",
    [{ name: 'eno1.5', ...V4 }],
    ['0 name: found eno1.5, which is the name of a VLAN, expected eno1 with vlan: 5'],
  ],
  [
    'a VLAN whose name would be too long',
    [{ name: 'enx28d244d3ef1', vlan: 4094, ...V4 }],
    [
      '0 name: found enx28d244d3ef1, whose VLAN would be called enx28d244d3ef1.4094, expected at most 15 characters',
    ],
  ],
  ['a word of the kernel', [{ name: 'all', ...V4 }], ['0 name: found all, which no interface can be called']],
  [
    'a MAC address for a bond',
    [{ name: 'bond0', mac: MAC, bond, ...V4 }],
    [`0 mac: found ${MAC} for a bond, expected it in bond.members`],
  ],
  [
    "a bond with a card's name",
    [{ name: 'eth0', bond, ...V4 }],
    ["0 name: found eth0, a card's name, expected one like bond0"],
  ],
  [
    'a bond twice',
    [
      { name: 'bond0', bond, vlan: 5, ...V4 },
      { name: 'bond0', bond: { ...bond, members: ['eno3'] }, ...V4B },
    ],
    ['1 name: found bond0 again, expected one interface for it, the first is interfaces[0]'],
  ],
  [
    'members that are interfaces, twice and no cards',
    [
      { name: 'bond0', bond: { ...bond, members: ['eno1', 'eno2', 'eno1', 'bond0', 'br0'] }, ...V4 },
      { name: 'eno2', ...V4B },
      { name: 'bond1', bond: { ...bond, members: ['eno1'] }, addresses: ['10.8.0.5/24'] },
    ],
    [
      '0 members 1: found eno2, which is an interface of its own in interfaces[1], expected a card that has nothing but the bond',
      '0 members 2: found eno1, which is a member already in interfaces[0].bond.members[0]',
      '0 members 3: found bond0, which is an interface of its own in interfaces[0], expected a card that has nothing but the bond',
      '0 members 4: found br0, which is no network card',
      '2 members 0: found eno1, which is a member already in interfaces[0].bond.members[0]',
    ],
  ],
  [
    'a VLAN on a member',
    [
      { name: 'bond0', bond, ...V4 },
      { name: 'eno1', vlan: 5, ...V4B },
    ],
    [
      '0 members 0: found eno1, which is an interface of its own in interfaces[1], expected a card that has nothing but the bond',
    ],
  ],
  [
    'an address twice',
    [
      { name: 'eno1', addresses: ['fd00::5/64'] },
      { name: 'eno2', addresses: ['10.0.0.5/24', 'fd00:0::5/48'] },
    ],
    ['1 addresses 1: found fd00:0::5, which interfaces[0] has'],
  ],
  [
    'a router of another family',
    [{ name: 'eno1', addresses: ['10.0.0.5/24'], gateway: 'fe80::1' }],
    ['0 gateway: found fe80::1, expected an IPv6 address beside it'],
  ],
  [
    'a router beside DHCP',
    [{ name: 'eno1', dhcp: true, gateway: '10.0.0.1' }],
    ['0 gateway: found 10.0.0.1 beside dhcp: true, which brings its own'],
  ],
])('%s', (_name, interfaces, want) => {
  const shown = networkProblems(network(interfaces)).map((problem) =>
    problem.key === 'dns'
      ? problem.message
      : `${[problem.index, problem.key, problem.at].filter((part) => part !== undefined).join(' ')}: ${problem.message}`,
  );
  expect(shown).toEqual(want);
});

test('a name server of a family that no interface has', () => {
  expect(networkProblems(network([{ mac: MAC, ...V4 }], ['10.0.0.1', 'fd00::53']))).toEqual([
    {
      key: 'dns',
      at: 1,
      message: 'found fd00::53, expected a server this machine can reach: no interface has IPv6',
    },
  ]);
});

const LINES = 'eth0\n[ipv4]';
const hostile: [string, MachineNetwork, string][] = [
  ['a line end in a name', network([{ name: LINES, ...V4 }]), 'name: got "eth0\\n[ipv4]"'],
  ['a path in a name', network([{ name: '../x', ...V4 }]), 'name: got "../x"'],
  ['a field end in a name', network([{ name: 'eth0:x', ...V4 }]), 'name: got "eth0:x"'],
  ['a space in a name', network([{ name: 'eth0 x', ...V4 }]), 'name: got "eth0 x"'],
  ['no MAC address', network([{ mac: `${MAC}\n`, ...V4 }]), 'mac: got'],
  ['upper case in a MAC address', network([{ mac: MAC.toUpperCase(), ...V4 }]), 'mac: got'],
  ['neither name nor MAC', network([{ ...V4 }]), 'want a name or a mac'],
  ['a bond without a name', network([{ mac: MAC, bond, ...V4 }]), 'want a name or a mac'],
  ['an address with more', network([{ mac: MAC, addresses: ['10.0.0.5/24,x'] }]), 'addresses: got'],
  ['no address at all', network([{ mac: MAC }]), 'want either addresses or dhcp'],
  ['a router with a line end', network([{ mac: MAC, ...V4, gateway: '10.0.0.1\n' }]), 'gateway: got'],
  ['a server with a list end', network([{ mac: MAC, ...V4 }], ['10.0.0.1;']), 'network.dns: got'],
  ['a VLAN beyond the last', network([{ mac: MAC, vlan: 4095, ...V4 }]), 'vlan: got "4095"'],
  ['half a VLAN', network([{ mac: MAC, vlan: 1.5, ...V4 }]), 'vlan: got "1.5"'],
  [
    'a bond mode with options',
    network([{ name: 'bond0', bond: { ...bond, mode: '802.3ad,fail_over_mac=1' }, ...V4 }]),
    'bond.mode: got',
  ],
  [
    'a member with a comma',
    network([{ name: 'bond0', bond: { ...bond, members: ['a,b'] }, ...V4 }]),
    'bond.members: got "a,b"',
  ],
  [
    'a bond without members',
    network([{ name: 'bond0', bond: { ...bond, members: [] }, ...V4 }]),
    'want at least one',
  ],
  [
    'very many interfaces',
    network(Array.from({ length: 65 }, (_, index) => ({ name: `e${index}`, dhcp: true }))),
    'network.interfaces: got "65"',
  ],
  [
    'one card twice',
    network([
      { mac: MAC, ...V4 },
      { mac: MAC, ...V4B },
    ]),
    'network.interfaces[1].mac: found',
  ],
];
describe.each(hostile)('%s', (_name, wrong, message) => {
  const refusal = expect.objectContaining({
    code: 'USAGE_INVALID',
    message: expect.stringContaining(message),
  });
  test('becomes no keyfile', () => {
    expect(() => renderKeyfiles(wrong)).toThrow(refusal);
  });
  test('becomes no kernel argument', () => {
    expect(() => networkKargs(wrong, 'bip')).toThrow(refusal);
  });
});
