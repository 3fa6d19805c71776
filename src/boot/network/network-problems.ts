import { parseInterfaceAddress, parseIp } from '../../formats/ip-address.ts';
import { isKernelName, isMadeName, isReservedName, MAX_NAME_BYTES } from './interface-name.ts';
import type { MachineNetwork, NetworkInterface } from './machine-network.ts';

/** What is wrong between the interfaces of a network; `at` counts within a list under `key`. */
export type NetworkProblem =
  | {
      readonly index: number;
      readonly key: 'name' | 'mac' | 'vlan' | 'gateway' | 'members' | 'addresses';
      readonly at?: number;
      readonly message: string;
    }
  | { readonly key: 'dns'; readonly at: number; readonly message: string };

type Interfaces = readonly NetworkInterface[];
type Add = (problem: NetworkProblem) => void;

/** The card or bond below an interface: one that was written twice, by name and by MAC, is still one. */
export function baseKey(item: NetworkInterface, interfaces: Interfaces): string {
  if (item.bond !== undefined) return `name ${item.name}`;
  const named = (other: NetworkInterface): boolean => item.name !== undefined && other.name === item.name;
  const mac = item.mac ?? interfaces.find((other) => named(other) && other.mac !== undefined)?.mac;
  return mac === undefined ? `name ${item.name}` : `mac ${mac}`;
}

function checkNames(interfaces: Interfaces, add: Add): void {
  interfaces.forEach(({ name, mac, bond, vlan }, index) => {
    if (bond !== undefined && mac !== undefined)
      add({ index, key: 'mac', message: `found ${mac} for a bond, expected it in bond.members` });
    if (name === undefined) return;
    const bondsOfName = interfaces.filter((other) => other.name === name && other.bond !== undefined);
    if (isReservedName(name)) {
      add({ index, key: 'name', message: `found ${name}, which no interface can be called` });
    } else if (bond !== undefined && isKernelName(name) && !name.startsWith('bond')) {
      add({ index, key: 'name', message: `found ${name}, a card's name, expected one like bond0` });
    } else if (bond === undefined && isMadeName(name) && bondsOfName.length === 0) {
      add({
        index,
        key: 'name',
        message: `found ${name}, which is no network card and which nothing here makes, expected an interface with that name and bond`,
      });
    }
    const [, below, id] = /^(.+)\.([0-9]+)$/.exec(name) ?? [];
    if (vlan === undefined && below !== undefined)
      add({
        index,
        key: 'name',
        message: `found ${name}, which is the name of a VLAN, expected ${below} with vlan: ${id}`,
      });
    if (vlan === undefined) return;
    if (name.endsWith(`.${vlan}`))
      add({
        index,
        key: 'name',
        message: `found ${name}, expected the card or bond that carries VLAN ${vlan}: ${name.slice(0, -1 - String(vlan).length)}`,
      });
    else if (`${name}.${vlan}`.length > MAX_NAME_BYTES)
      add({
        index,
        key: 'name',
        message: `found ${name}, whose VLAN would be called ${name}.${vlan}, expected at most ${MAX_NAME_BYTES} characters`,
      });
  });
}

function checkTwins(interfaces: Interfaces, add: Add): void {
  interfaces.forEach((item, index) => {
    const earlier = interfaces.slice(0, index);
    const { name, mac, bond, vlan } = item;
    if (name === undefined && mac === undefined) return;
    const told = (other: NetworkInterface): string => `interfaces[${interfaces.indexOf(other)}]`;
    const renamed = earlier.find(
      (other) => name !== undefined && other.name === name && (other.mac ?? mac) !== (mac ?? other.mac),
    );
    if (renamed !== undefined) {
      add({
        index,
        key: 'mac',
        message: `found ${mac} for ${name}, which has ${renamed.mac} in ${told(renamed)}`,
      });
      return;
    }
    const again = earlier.find(
      (other) => bond !== undefined && other.bond !== undefined && other.name === name,
    );
    const key = baseKey(item, interfaces);
    const twin = again ?? earlier.find((other) => other.vlan === vlan && baseKey(other, interfaces) === key);
    if (twin === undefined) return;
    const message =
      vlan === undefined || again !== undefined
        ? `found ${mac ?? name} again, expected one interface for it, the first is ${told(twin)}`
        : `found VLAN ${vlan} of ${mac ?? name} again, the first is ${told(twin)}`;
    add({ index, key: again === undefined && vlan !== undefined ? 'vlan' : mac ? 'mac' : 'name', message });
  });
}

function checkMembers(interfaces: Interfaces, add: Add): void {
  const taken = new Map<string, string>();
  interfaces.forEach(({ bond }, index) => {
    bond?.members.forEach((member, at) => {
      const own = interfaces.findIndex(({ name, mac }) => name === member || mac === member);
      const first = taken.get(member);
      const problem =
        own !== -1
          ? `which is an interface of its own in interfaces[${own}], expected a card that has nothing but the bond`
          : first !== undefined
            ? `which is a member already in ${first}`
            : isMadeName(member) || isReservedName(member)
              ? 'which is no network card'
              : undefined;
      if (problem !== undefined) add({ index, key: 'members', at, message: `found ${member}, ${problem}` });
      taken.set(member, first ?? `interfaces[${index}].bond.members[${at}]`);
    });
  });
}

function checkAddresses({ interfaces, dns }: MachineNetwork, add: Add): void {
  const holders = new Map<string, number>();
  const families = new Set<number>();
  interfaces.forEach(({ addresses, gateway, dhcp }, index) => {
    const parsed = addresses.map(parseInterfaceAddress);
    parsed.forEach((ip, at) => {
      if (ip === undefined) return;
      families.add(ip.bits);
      const key = `${ip.bits} ${ip.value}`;
      const holder = holders.get(key) ?? index;
      holders.set(key, holder);
      if (holder !== index)
        add({ index, key: 'addresses', at, message: `found ${ip.text}, which interfaces[${holder}] has` });
    });
    if (dhcp) families.add(32).add(128);
    const via = gateway === undefined ? undefined : parseIp(gateway);
    if (via === undefined) return;
    if (dhcp)
      add({ index, key: 'gateway', message: `found ${gateway} beside dhcp: true, which brings its own` });
    else if (addresses.length > 0 && !parsed.some((ip) => ip?.bits === via.bits))
      add({
        index,
        key: 'gateway',
        message: `found ${gateway}, expected an ${via.bits === 32 ? 'IPv4' : 'IPv6'} address beside it`,
      });
  });
  dns.forEach((server, at) => {
    const bits = parseIp(server)?.bits;
    if (bits !== undefined && families.size > 0 && !families.has(bits))
      add({
        key: 'dns',
        at,
        message: `found ${server}, expected a server this machine can reach: no interface has ${bits === 32 ? 'IPv4' : 'IPv6'}`,
      });
  });
}

/**
 * Finds what is wrong between the interfaces of a network: a card or bond written twice, a bond's member with
 * a life of its own, a VLAN on what nothing makes, addresses and servers that cannot be used.
 */
export function networkProblems(network: MachineNetwork): NetworkProblem[] {
  const problems: NetworkProblem[] = [];
  const add: Add = (problem) => problems.push(problem);
  checkNames(network.interfaces, add);
  checkTwins(network.interfaces, add);
  checkMembers(network.interfaces, add);
  checkAddresses(network, add);
  return problems;
}
