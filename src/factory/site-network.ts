import type { MachineNetwork, NetworkInterface } from '../boot/network/machine-network.ts';
import { type NetworkProblem, networkProblems } from '../boot/network/network-problems.ts';
import type { Fault } from '../errors.ts';
import type { Origin } from '../formats/checked-value.ts';
import type { FieldPath } from '../formats/field-path.ts';
import { inSubnet, isLinkLocal, parseInterfaceAddress, parseIp } from '../formats/ip-address.ts';
import type { SiteKeys } from './site-schema.ts';

/** An interface with the paths its values were written under, flat or in a list. */
export interface PlacedInterface {
  readonly value: NetworkInterface;
  readonly paths: {
    readonly whole: FieldPath;
    readonly name: FieldPath;
    readonly mac: FieldPath;
    readonly gateway: FieldPath;
    addressAt(index: number): FieldPath;
  };
}

type Network = NonNullable<SiteKeys['network']>;

function flatInterface(network: Network): PlacedInterface {
  const { mac, interface: name, address, gateway } = network;
  return {
    value: {
      ...(name === undefined ? {} : { name }),
      ...(mac === undefined ? {} : { mac }),
      addresses: address === undefined ? [] : [address],
      ...(gateway === undefined ? {} : { gateway }),
      dhcp: false,
    },
    paths: {
      whole: ['network'],
      name: ['network', 'interface'],
      mac: ['network', 'mac'],
      gateway: ['network', 'gateway'],
      addressAt: () => ['network', 'address'],
    },
  };
}

function listedInterface(item: NonNullable<Network['interfaces']>[number], index: number): PlacedInterface {
  const whole = ['network', 'interfaces', index];
  const { name, mac, addresses = [], gateway, vlan, bond, dhcp = false } = item;
  return {
    value: {
      ...(name === undefined ? {} : { name }),
      ...(mac === undefined ? {} : { mac }),
      addresses,
      ...(gateway === undefined ? {} : { gateway }),
      ...(vlan === undefined ? {} : { vlan }),
      ...(bond === undefined ? {} : { bond }),
      dhcp,
    },
    paths: {
      whole,
      name: [...whole, 'name'],
      mac: [...whole, 'mac'],
      gateway: [...whole, 'gateway'],
      addressAt: (at) => [...whole, 'addresses', at],
    },
  };
}

/** Tells whether `network` has keys of the flat form, which describe one interface. */
export function isFlat({ mac, interface: name, address, gateway }: Network): boolean {
  return [mac, name, address, gateway].some((value) => value !== undefined);
}

/** Brings `network` into one form: its interfaces, whether they were listed or written flat. */
export function placedInterfaces(network: Network): PlacedInterface[] {
  const flat = isFlat(network) ? [flatInterface(network)] : [];
  return [...flat, ...(network.interfaces ?? []).map(listedInterface)];
}

/** The network of a finished site. */
export function siteNetwork(network: Network): MachineNetwork {
  return { interfaces: placedInterfaces(network).map(({ value }) => value), dns: network.dns ?? [] };
}

function interfaceFaults({ value, paths }: PlacedInterface, origin: Origin): Fault[] {
  const faults: Fault[] = [];
  const add = (path: FieldPath, message: string): void => {
    faults.push({ place: origin.placeOf(path), message });
  };
  const { addresses, gateway, dhcp, name, mac, bond } = value;
  const nameKey = paths.whole.length === 1 ? 'interface' : 'name';
  if (bond !== undefined && name === undefined)
    add([...paths.whole, 'name'], 'missing, expected the name of the bond');
  else if (name === undefined && mac === undefined)
    add(paths.mac, `missing, expected mac (better: a wrong name boots without a network) or ${nameKey}`);
  if (dhcp && addresses.length > 0)
    add([...paths.whole, 'dhcp'], 'found dhcp: true beside addresses, expected one or the other');
  if (!dhcp && addresses.length === 0)
    add(
      paths.addressAt(0),
      'missing, expected an address with its prefix length, for example 192.168.1.5/24',
    );
  const seen = new Set<string>();
  addresses.forEach((text, index) => {
    const key = parseInterfaceAddress(text)?.value.toString() ?? text;
    if (seen.has(key)) add(paths.addressAt(index), `found ${text} twice`);
    seen.add(key);
  });
  const via = gateway === undefined ? undefined : parseIp(gateway);
  if (via === undefined || dhcp || isLinkLocal(via)) return faults;
  const subnets = addresses.map(parseInterfaceAddress).filter((subnet) => subnet !== undefined);
  if (subnets.length > 0 && !subnets.some((subnet) => inSubnet(via, subnet)))
    add(paths.gateway, `found ${gateway}, expected an address in the subnet of ${addresses.join(' or ')}`);
  if (subnets.some((subnet) => subnet.value === via.value && subnet.bits === via.bits))
    add(paths.gateway, `found ${gateway}, which is the machine's own address, expected that of the router`);
  return faults;
}

/** Where a problem between interfaces was written. */
function problemPath(problem: NetworkProblem, items: readonly PlacedInterface[]): FieldPath {
  if (problem.key === 'dns') return ['network', 'dns', problem.at];
  const { index, key, at = 0 } = problem;
  const paths = items[index]?.paths;
  if (paths === undefined) return ['network'];
  switch (key) {
    case 'addresses':
      return paths.addressAt(at);
    case 'members':
      return [...paths.whole, 'bond', 'members', at];
    case 'name':
      return paths.name;
    case 'mac':
    case 'gateway':
      return paths[key];
    case 'vlan':
      return [...paths.whole, key];
    default:
      return key satisfies never;
  }
}

/** Finds what is wrong between the parts of a merged `network`: names, addresses, gateways, VLANs and bonds. */
export function networkFaults(network: Network, origin: Origin): Fault[] {
  const both = isFlat(network) && network.interfaces !== undefined;
  const items = placedInterfaces(network);
  const faults = items.flatMap((item) => interfaceFaults(item, origin));
  if (both) {
    const place = origin.placeOf(['network', 'interfaces'], 'key');
    const message = 'found interfaces beside the flat keys of one interface, expected one form';
    return [{ place, message }, ...faults];
  }
  const problems = networkProblems(siteNetwork(network)).map((problem) => ({
    place: origin.placeOf(problemPath(problem, items)),
    message: problem.message,
  }));
  return [...faults, ...problems];
}
