import { type InterfaceAddress, parseInterfaceAddress } from '../../formats/ip-address.ts';
import { checkNetwork } from './check-network.ts';
import { isKernelName } from './interface-name.ts';
import type { MachineNetwork, NetworkInterface } from './machine-network.ts';
import { baseKey } from './network-problems.ts';

/** How a link gets its addresses. */
export interface Addressing {
  readonly dhcp: boolean;
  readonly addresses: readonly InterfaceAddress[];
  readonly gateway?: string;
  readonly dns: readonly string[];
  /** Only where several links have addresses: the default route goes by the first one listed. */
  readonly metric?: number;
}

/** A network card; `kargName` is what kernel arguments call it, given there to a card known by its MAC. */
export interface Card {
  readonly kind: 'card';
  readonly name?: string;
  readonly mac?: string;
  readonly kargName: string;
  /** What it is a member of. */
  readonly bond?: Bond;
  readonly addressing?: Addressing;
}

export interface Bond {
  readonly kind: 'bond';
  readonly name: string;
  readonly mode: string;
  readonly addressing?: Addressing;
}

export interface Vlan {
  readonly kind: 'vlan';
  readonly name: string;
  readonly id: number;
  readonly parent: Card | Bond;
  readonly addressing: Addressing;
}

/** What becomes one connection profile: a card, a bond, or a VLAN. */
export type Link = Card | Bond | Vlan;

/** Ethernet's own metric in NetworkManager; the bridge of OVN-Kubernetes takes 48, below all of these. */
const FIRST_METRIC = 100;

function addressingOf({ interfaces, dns }: MachineNetwork, index: number): Addressing | undefined {
  const item = interfaces[index];
  if (item === undefined) return undefined;
  const { dhcp, addresses, gateway } = item;
  return {
    dhcp,
    addresses: addresses.map(parseInterfaceAddress).filter((address) => address !== undefined),
    ...(gateway === undefined ? {} : { gateway }),
    dns,
    ...(interfaces.length > 1 ? { metric: FIRST_METRIC + index } : {}),
  };
}

/** Gives names for kernel arguments: `edge0`, `edge1`, … where the kernel's own might belong to another card. */
function cardNames(interfaces: readonly NetworkInterface[]): (name?: string, mac?: string) => string {
  const taken = new Set(interfaces.flatMap(({ name, bond }) => [name ?? '', ...(bond?.members ?? [])]));
  let next = 0;
  return (name, mac) => {
    const position = next;
    next += 1;
    if (mac === undefined && name !== undefined) return name;
    if (name !== undefined && !isKernelName(name)) return name;
    let number = position;
    while (taken.has(`edge${number}`)) number += 1;
    taken.add(`edge${number}`);
    return `edge${number}`;
  };
}

type NameCard = ReturnType<typeof cardNames>;

/** A card, or a bond and its cards: all that the interfaces at `here` say about one of them. */
function baseLinks(network: MachineNetwork, here: readonly number[], nameCard: NameCard): (Card | Bond)[] {
  const items = here.flatMap((index) => network.interfaces[index] ?? []);
  const own = here.find((index) => network.interfaces[index]?.vlan === undefined);
  const addressing = own === undefined ? undefined : addressingOf(network, own);
  const placed = addressing === undefined ? {} : { addressing };
  const name = items.find((item) => item.name !== undefined)?.name;
  const bond = items.find((item) => item.bond !== undefined)?.bond;
  if (bond !== undefined && name !== undefined) {
    const made: Bond = { kind: 'bond', name, mode: bond.mode, ...placed };
    const cards = bond.members.map((member): Card => {
      const known = member.includes(':') ? { mac: member } : { name: member };
      return { kind: 'card', ...known, kargName: nameCard(known.name, known.mac), bond: made };
    });
    return [made, ...cards];
  }
  const mac = items.find((item) => item.mac !== undefined)?.mac;
  const card: Card = {
    kind: 'card',
    ...(name === undefined ? {} : { name }),
    ...(mac === undefined ? {} : { mac }),
    kargName: nameCard(name, mac),
    ...placed,
  };
  return [card];
}

/**
 * Plans the links of a network, each after the one it stands on: cards and bonds in the order they were first
 * named, a bond's cards after it, then VLANs. Throws USAGE_INVALID.
 */
export function planLinks(network: MachineNetwork): Link[] {
  checkNetwork(network);
  const { interfaces } = network;
  const nameCard = cardNames(interfaces);
  const keys = interfaces.map((item) => baseKey(item, interfaces));
  const bases = new Map<string, readonly (Card | Bond)[]>();
  for (const key of new Set(keys)) {
    const here = keys.flatMap((each, index) => (each === key ? [index] : []));
    bases.set(key, baseLinks(network, here, nameCard));
  }
  const vlans = interfaces.flatMap(({ vlan: id }, index): Vlan[] => {
    const [parent] = bases.get(keys[index] ?? '') ?? [];
    const addressing = addressingOf(network, index);
    if (id === undefined || parent === undefined || addressing === undefined) return [];
    const below = parent.name ?? (parent.kind === 'card' ? parent.kargName : '');
    return [{ kind: 'vlan', name: `${below}.${id}`, id, parent, addressing }];
  });
  return [...[...bases.values()].flat(), ...vlans];
}
