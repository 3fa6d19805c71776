import { createHash } from 'node:crypto';
import { parseIp } from '../../formats/ip-address.ts';
import type { MachineNetwork } from './machine-network.ts';
import { type Addressing, type Bond, type Card, type Link, planLinks, type Vlan } from './plan-links.ts';
import { routedAddress } from './routed-address.ts';

/** A NetworkManager connection profile (nm-settings-keyfile(5)); on the machine it has mode 0600. */
export interface Keyfile {
  /** The plain file name, NAME.nmconnection. */
  readonly name: string;
  readonly text: string;
}

type Lines = readonly string[];

/**
 * Above the profiles NetworkManager makes by itself and those of the initramfs (-999, -100), below the ones with
 * which the node's configure-ovs.sh takes over the card (100), which must win after a reboot.
 */
const PRIORITY = 10;

/** How long NetworkManager waits for IPv4 where IPv6 alone is up already; dracut's own figure. */
const DHCP4_WAIT_MS = 20_000;

/** How often bond members are asked for carrier; without it a bond never notices a pulled cable. */
const MII_MONITOR_MS = 100;

function servers(dns: readonly string[], bits: 32 | 128): string[] {
  const own = dns.filter((server) => parseIp(server)?.bits === bits);
  return own.length === 0 ? [] : [`dns=${own.join(';')};`];
}

/** The lines of one address family. `identity` keeps a lease the same in both phases: it depends on the MAC alone. */
function family(addressing: Addressing | undefined, bits: 32 | 128, identity: Lines): string[] {
  const section = bits === 32 ? '[ipv4]' : '[ipv6]';
  if (addressing === undefined) return [section, 'method=disabled'];
  const { dhcp, gateway, dns, metric } = addressing;
  const routes = metric === undefined ? [] : [`route-metric=${metric}`];
  if (dhcp) return [section, 'method=auto', ...identity, ...servers(dns, bits), ...routes];
  const addresses = addressing.addresses.filter((address) => address.bits === bits);
  if (addresses.length === 0) return [section, 'method=disabled'];
  const routed = routedAddress(addresses, gateway) !== undefined;
  return [
    section,
    'method=manual',
    // A family has one router; NetworkManager itself writes it behind the first address.
    ...addresses.map(
      ({ text, prefix }, index) =>
        `address${index + 1}=${text}/${prefix}${routed && index === 0 ? `,${gateway}` : ''}`,
    ),
    ...servers(dns, bits),
    ...routes,
    'may-fail=false',
  ];
}

function families(addressing: Addressing | undefined): string[] {
  return [
    ...family(addressing, 32, ['dhcp-client-id=mac', `required-timeout=${DHCP4_WAIT_MS}`]),
    '',
    ...family(addressing, 128, ['addr-gen-mode=eui64', 'dhcp-duid=ll']),
  ];
}

/** What makes a profile one of its kind: lines of [connection], then its other sections. */
interface Body {
  readonly id: string;
  readonly connection: Lines;
  readonly sections: Lines;
}

type UuidOf = (link: Card | Bond) => string;

function cardBody({ mac, name, bond, addressing }: Card, uuidOf: UuidOf): Body {
  const label = mac === undefined ? name : mac.replaceAll(':', '-');
  return {
    id: bond === undefined ? `edgefab-${label}` : `edgefab-${bond.name}-${label}`,
    connection: [
      'type=ethernet',
      // With the MAC address known, the name is left out: a name may differ between kernels, and a wrong one
      // means no network.
      ...(mac === undefined ? [`interface-name=${name}`] : []),
      ...(bond === undefined ? [] : [`master=${uuidOf(bond)}`, 'slave-type=bond']),
    ],
    sections: [
      ...(mac === undefined ? [] : ['', '[ethernet]', `mac-address=${mac.toUpperCase()}`]),
      ...(bond === undefined ? ['', ...families(addressing)] : []),
    ],
  };
}

function bondBody({ name, mode, addressing }: Bond): Body {
  return {
    id: `edgefab-${name}`,
    connection: ['type=bond', `interface-name=${name}`, 'autoconnect-slaves=1'],
    sections: ['', '[bond]', `mode=${mode}`, `miimon=${MII_MONITOR_MS}`, '', ...families(addressing)],
  };
}

function vlanBody({ name, id, parent, addressing }: Vlan, uuidOf: UuidOf): Body {
  return {
    id: `edgefab-${name}`,
    connection: ['type=vlan', `interface-name=${name}`],
    sections: ['', '[vlan]', `id=${id}`, `parent=${uuidOf(parent)}`, '', ...families(addressing)],
  };
}

function bodyOf(link: Link, uuidOf: UuidOf): Body {
  switch (link.kind) {
    case 'card':
      return cardBody(link, uuidOf);
    case 'bond':
      return bondBody(link);
    case 'vlan':
      return vlanBody(link, uuidOf);
    default:
      return link satisfies never;
  }
}

/** A UUID of version 8, "custom" (RFC 9562 section 5.8): the first 128 bits of the content's sha256. */
function contentUuid(content: string): string {
  const hash = createHash('sha256').update(content).digest().subarray(0, 16);
  hash.writeUInt8((hash.readUInt8(6) & 0x0f) | 0x80, 6);
  hash.writeUInt8((hash.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = hash.toString('hex');
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-');
}

/**
 * Renders a network as NetworkManager keyfiles, one a link, for the live system and the installed node alike.
 * Same network, same bytes: the uuids come from the content. Throws USAGE_INVALID.
 */
export function renderKeyfiles(network: MachineNetwork): Keyfile[] {
  const uuids = new Map<string, string>();
  const keyOf = (link: Card | Bond): string =>
    link.kind === 'bond' ? `bond ${link.name}` : `card ${link.mac ?? link.name}`;
  const uuidOf: UuidOf = (link) => uuids.get(keyOf(link)) ?? '';
  return planLinks(network).map((link) => {
    const { id, connection, sections } = bodyOf(link, uuidOf);
    const lines = [...connection, `autoconnect-priority=${PRIORITY}`, ...sections, ''].join('\n');
    const uuid = contentUuid(`id=${id}\n${lines}`);
    if (link.kind !== 'vlan') uuids.set(keyOf(link), uuid);
    const head = [
      '# Made by edgefab: the same in the live system and on the installed node.',
      '[connection]',
    ];
    return {
      name: `${id}.nmconnection`,
      text: [...head, `id=${id}`, `uuid=${uuid}`, lines].join('\n'),
    };
  });
}
