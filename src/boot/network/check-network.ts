import { EdgefabError } from '../../errors.ts';
import { parseInterfaceAddress, parseIp } from '../../formats/ip-address.ts';
import type { MachineNetwork } from './machine-network.ts';
import { networkProblems } from './network-problems.ts';

// These values become lines of keyfiles, file names and kernel arguments: nothing in them may end a line or a field.
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$/;
const MAC = /^[0-9a-f]{2}(?::[0-9a-f]{2}){5}$/;
const MODES = [
  'active-backup',
  '802.3ad',
  'balance-rr',
  'balance-xor',
  'broadcast',
  'balance-tlb',
  'balance-alb',
];
const MAX_INTERFACES = 64;

function refuse(field: string, got: string, want: string): never {
  throw new EdgefabError(`${field}: got ${JSON.stringify(got.slice(0, 100))}, want ${want}`, {
    code: 'USAGE_INVALID',
    place: { field },
  });
}

function expectMatch(field: string, text: string, ok: boolean, want: string): void {
  if (!ok) refuse(field, text, want);
}

/** Makes sure that a network can be written into files of the machine. Throws USAGE_INVALID naming the field. */
export function checkNetwork(network: MachineNetwork): void {
  if (network.interfaces.length > MAX_INTERFACES)
    refuse('network.interfaces', String(network.interfaces.length), `at most ${MAX_INTERFACES}`);
  network.interfaces.forEach(({ name, mac, addresses, gateway, vlan, bond, dhcp }, index) => {
    const at = `network.interfaces[${index}]`;
    if (name === undefined && (mac === undefined || bond !== undefined)) refuse(at, '', 'a name or a mac');
    if (name !== undefined) expectMatch(`${at}.name`, name, NAME.test(name), 'an interface name');
    if (mac !== undefined) expectMatch(`${at}.mac`, mac, MAC.test(mac), 'a MAC address in lower case');
    for (const address of addresses)
      expectMatch(`${at}.addresses`, address, parseInterfaceAddress(address) !== undefined, 'ADDRESS/PREFIX');
    if (dhcp === addresses.length > 0) refuse(`${at}.dhcp`, String(dhcp), 'either addresses or dhcp');
    if (gateway !== undefined)
      expectMatch(`${at}.gateway`, gateway, parseIp(gateway) !== undefined, 'an address');
    if (vlan !== undefined)
      expectMatch(`${at}.vlan`, `${vlan}`, Number.isInteger(vlan) && vlan > 0 && vlan < 4095, '1 to 4094');
    if (bond === undefined) return;
    expectMatch(`${at}.bond.mode`, bond.mode, MODES.includes(bond.mode), `one of ${MODES.join(', ')}`);
    if (bond.members.length === 0) refuse(`${at}.bond.members`, '', 'at least one');
    for (const member of bond.members)
      expectMatch(`${at}.bond.members`, member, NAME.test(member) || MAC.test(member), 'a name or a MAC');
  });
  for (const server of network.dns)
    expectMatch('network.dns', server, parseIp(server) !== undefined, 'an address');
  const [problem] = networkProblems(network);
  if (problem === undefined) return;
  const item = problem.key === 'dns' ? '' : `.interfaces[${problem.index}]`;
  const field = `network${item}.${problem.key === 'members' ? 'bond.members' : problem.key}`;
  throw new EdgefabError(`${field}: ${problem.message}`, { code: 'USAGE_INVALID', place: { field } });
}
