import type { MachineNetwork, NetworkInterface } from '../../boot/network/machine-network.ts';
import { type InterfaceAddress, parseInterfaceAddress, parseIp } from '../../formats/ip-address.ts';

/** The IPv4 subnet around a card; addresses dotted. */
export interface CardSubnet {
  /** Of the machine. */
  readonly address: string;
  readonly prefix: number;
  readonly router: string;
  /** The site's, where it has one on this link. */
  readonly nameServer: string;
}

/** A network card of a rehearsed machine: what follows its id in QEMU's `-netdev` and in `-device`. */
export interface VirtualCard {
  readonly mac: string;
  readonly netdev: string;
  readonly device: string;
  /** Undefined where the site gives it no IPv4 address. */
  readonly subnet: CardSubnet | undefined;
  readonly hasIpv6: boolean;
}

/** The cards of a machine, and whether its slots must not be told by ACPI, as names like enp0s25 want it. */
export interface CardPlan {
  readonly cards: readonly VirtualCard[];
  readonly slotsByPath: boolean;
  /** What could not be made as the site has it. */
  readonly notes: readonly string[];
}

/** A network of its own that leads nowhere: a connection is refused, all else is dropped without an answer. */
const RESTRICTED = 'user,restrict=on';
/** PCI slots of the machine that are taken: host bridge, ISA bridge, display. */
const FIRST_SLOT = 3;
const LAST_SLOT = 31;

interface Card {
  readonly name?: string;
  readonly mac?: string;
  readonly addresses: readonly string[];
  readonly gateway?: string;
}

function cardsOf({ name, mac, bond, addresses, gateway }: NetworkInterface): Card[] {
  const carried = { addresses, ...(gateway === undefined ? {} : { gateway }) };
  if (bond === undefined) {
    return [{ ...(name === undefined ? {} : { name }), ...(mac === undefined ? {} : { mac }), ...carried }];
  }
  return bond.members.map((member) => ({
    ...(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/i.test(member) ? { mac: member } : { name: member }),
    ...carried,
  }));
}

/** The options that put the site's own subnet around the machine, its router and name server at their addresses. */
function subnetOptions({ addresses }: Card, four: CardSubnet | undefined): string[] {
  const six = addresses.map(parseInterfaceAddress).find((each) => each?.bits === 128);
  const options = four === undefined ? [] : ipv4Options(four);
  if (four === undefined && six !== undefined) options.push('ipv4=off');
  if (six === undefined) return [...options, ...(four === undefined ? [] : ['ipv6=off'])];
  return [...options, `ipv6-prefix=${prefixText(six)}`, `ipv6-prefixlen=${six.prefix}`];
}

function prefixText({ value, prefix }: InterfaceAddress): string {
  const network = (value >> BigInt(128 - prefix)) << BigInt(128 - prefix);
  return network
    .toString(16)
    .padStart(32, '0')
    .replace(/(.{4})(?!$)/g, '$1:');
}

function dotted(value: bigint): string {
  return [24n, 16n, 8n, 0n].map((shift) => String((value >> shift) & 255n)).join('.');
}

function networkOf(value: bigint, prefix: number): bigint {
  const size = 1n << BigInt(32 - prefix);
  return (value / size) * size;
}

function subnetOf({ addresses, gateway }: Card, dns: readonly string[]): CardSubnet | undefined {
  const own = addresses.map(parseInterfaceAddress).find((each) => each?.bits === 32);
  if (own === undefined) return undefined;
  const network = networkOf(own.value, own.prefix);
  const inside = (text: string | undefined): bigint | undefined => {
    const ip = text === undefined ? undefined : parseIp(text);
    return ip?.bits === 32 && networkOf(ip.value, own.prefix) === network ? ip.value : undefined;
  };
  const free = (...taken: readonly (bigint | undefined)[]): bigint =>
    [1n, 2n, 3n].map((step) => network + step).find((each) => !taken.includes(each)) ?? network + 1n;
  const router = inside(gateway) ?? free(own.value);
  const server = dns.map(inside).find((each) => each !== undefined && each !== router && each !== own.value);
  return {
    address: own.text,
    prefix: own.prefix,
    router: dotted(router),
    nameServer: dotted(server ?? free(own.value, router)),
  };
}

function ipv4Options({ address, prefix, router, nameServer }: CardSubnet): string[] {
  const network = networkOf(parseIp(address)?.value ?? 0n, prefix);
  return [`net=${dotted(network)}/${prefix}`, `host=${router}`, `dns=${nameServer}`, `dhcpstart=${address}`];
}

/** Plans a card for each the site names, with its MAC address, its name where the slot decides it, and its subnet. */
export function planCards(network: MachineNetwork | undefined): CardPlan {
  const wanted = (network?.interfaces ?? []).flatMap(cardsOf);
  const unique = new Map(
    wanted.map((card, index): [string, Card] => [card.mac ?? card.name ?? `card ${index}`, card]),
  );
  const cards = unique.size === 0 ? [{ addresses: [] }] : [...unique.values()];
  const slotsByPath = cards.some(({ name }) => /^enp0s\d+$/.test(name ?? ''));
  const notes: string[] = [];
  const planned = cards.map((card: Card, index): VirtualCard => {
    const mac = card.mac ?? `52:54:00:ed:9e:${index.toString(16).padStart(2, '0')}`;
    const place = card.name === undefined ? '' : placeOf(card.name, slotsByPath);
    if (place === undefined && card.mac === undefined)
      notes.push(`no card can be given the name ${card.name} here: the network of the site will not come up`);
    const subnet = subnetOf(card, network?.dns ?? []);
    return {
      mac,
      subnet,
      hasIpv6: card.addresses.some((each) => parseInterfaceAddress(each)?.bits === 128),
      netdev: [RESTRICTED, ...subnetOptions(card, subnet)].join(','),
      device: `virtio-net-pci,mac=${mac}${place ?? ''}`,
    };
  });
  return { cards: planned, slotsByPath, notes };
}

/** The slot by which udev gives a card this name (systemd.net-naming-scheme(7)); undefined where none does. */
function placeOf(name: string, slotsByPath: boolean): string | undefined {
  const [, kind, digits] = /^(enp0s|ens|eno)(\d+)$/.exec(name) ?? [];
  const number = Number(digits);
  if (kind === 'eno' && !slotsByPath) return `,acpi-index=${number}`;
  const bySlot = kind === (slotsByPath ? 'enp0s' : 'ens');
  return bySlot && number >= FIRST_SLOT && number <= LAST_SLOT ? `,addr=0x${number.toString(16)}` : undefined;
}
