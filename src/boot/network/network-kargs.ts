import { dottedNetmask, type InterfaceAddress } from '../../formats/ip-address.ts';
import type { MachineNetwork } from './machine-network.ts';
import { type Card, type Link, planLinks } from './plan-links.ts';
import { routedAddress } from './routed-address.ts';

/** dracut.cmdline(7): the `ip=` argument takes at most two servers, further ones are `nameserver=`. */
const SERVERS_IN_IP = 2;

function bracketed(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}

function ipKarg(
  { text, bits, prefix }: InterfaceAddress,
  gateway: string,
  hostname: string,
  name: string,
  dns: readonly string[],
): string {
  const mask = bits === 32 ? dottedNetmask(prefix) : String(prefix);
  const fields = [bracketed(text), '', bracketed(gateway), mask, hostname, name, 'none'];
  return `ip=${[...fields, ...dns.map(bracketed)].join(':')}`;
}

function cardsOf(bond: string, links: readonly Link[]): Card[] {
  return links.filter((link) => link.kind === 'card').filter((card) => card.bond?.name === bond);
}

/** The arguments that make a link exist under its name. */
function linkKargs(link: Link, links: readonly Link[]): string[] {
  switch (link.kind) {
    case 'card':
      return link.mac === undefined ? [] : [`ifname=${link.kargName}:${link.mac}`];
    case 'bond': {
      const members = cardsOf(link.name, links).map(({ kargName }) => kargName);
      return [`bond=${link.name}:${members.join(',')}:mode=${link.mode},miimon=100`];
    }
    case 'vlan':
      return [`vlan=${link.name}:${link.parent.kind === 'card' ? link.parent.kargName : link.parent.name}`];
    default:
      return link satisfies never;
  }
}

/**
 * Makes the kernel arguments that bring up a network in a live system which reads no embedded keyfiles
 * (dracut.cmdline(7)): `rd.neednet=1`, `ifname=` where the MAC address is known, `bond=`, `vlan=`, one `ip=` per
 * address, `nameserver=` for servers beyond the second. None without an interface: the live system then asks
 * DHCP. Throws USAGE_INVALID.
 */
export function networkKargs(network: MachineNetwork, hostname: string): string[] {
  const links = planLinks(network);
  if (links.length === 0) return [];
  const kargs = ['rd.neednet=1'];
  let inIp: readonly string[] = [];
  for (const link of links) {
    kargs.push(...linkKargs(link, links));
    const { addressing } = link;
    if (addressing === undefined) continue;
    const name = link.kind === 'card' ? link.kargName : link.name;
    if (addressing.dhcp) kargs.push(`ip=${name}:dhcp`);
    for (const address of addressing.addresses) {
      const dns = inIp.length === 0 ? network.dns.slice(0, SERVERS_IN_IP) : [];
      const sameFamily = addressing.addresses.filter(({ bits }) => bits === address.bits);
      // Each family has its own router, and a router is named once.
      const routed = routedAddress(sameFamily, addressing.gateway) === address;
      kargs.push(ipKarg(address, routed ? (addressing.gateway ?? '') : '', hostname, name, dns));
      if (dns.length > 0) inIp = dns;
    }
  }
  const rest = network.dns.filter((server) => !inIp.includes(server));
  return [...kargs, ...rest.map((server) => `nameserver=${bracketed(server)}`)];
}
