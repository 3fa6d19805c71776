import { isIP } from 'node:net';

/** An address as a number: `bits` is 32 or 128. */
export interface IpAddress {
  readonly bits: 32 | 128;
  readonly value: bigint;
}

/** An address with its prefix length, as an interface carries it. */
export interface InterfaceAddress extends IpAddress {
  /** The address alone, as it was written, without the prefix. */
  readonly text: string;
  readonly prefix: number;
}

/** Reads an IPv4 or IPv6 address; undefined when it is none. Zone indexes (`%eth0`) are none here. */
export function parseIp(text: string): IpAddress | undefined {
  const family = text.includes('%') ? 0 : isIP(text);
  if (family === 4) {
    return { bits: 32, value: text.split('.').reduce((sum, octet) => sum * 256n + BigInt(octet), 0n) };
  }
  if (family === 6) return { bits: 128, value: ipv6Value(text) };
  return undefined;
}

// RFC 4291 section 2.2: eight groups, one `::` for a run of zeros, the last 32 bits may be dotted.
function ipv6Value(text: string): bigint {
  const dotted = /^(.*:)(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(text);
  const plain =
    dotted === null
      ? text
      : `${dotted[1]}${hexGroup(dotted[2], dotted[3])}:${hexGroup(dotted[4], dotted[5])}`;
  const [head = '', tail] = plain.split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = Array.from({ length: Math.max(0, 8 - left.length - right.length) }, () => '0');
  return [...left, ...zeros, ...right].reduce((sum, group) => (sum << 16n) + BigInt(`0x${group}`), 0n);
}

function hexGroup(high: string | undefined, low: string | undefined): string {
  return (Number(high) * 256 + Number(low)).toString(16);
}

/** Reads ADDRESS/PREFIX (CIDR notation, RFC 4632, RFC 4291 section 2.3); undefined when it is none. */
export function parseInterfaceAddress(text: string): InterfaceAddress | undefined {
  const [, address = '', digits = ''] = /^([^/]+)\/(0|[1-9][0-9]{0,2})$/.exec(text) ?? [];
  const ip = parseIp(address);
  const prefix = Number(digits);
  return ip === undefined || prefix > ip.bits ? undefined : { ...ip, text: address, prefix };
}

function hostMask({ bits, prefix }: InterfaceAddress): bigint {
  return (1n << BigInt(bits - prefix)) - 1n;
}

/** Tells whether an address lies in the subnet of an interface address. */
export function inSubnet(ip: IpAddress, subnet: InterfaceAddress): boolean {
  return ip.bits === subnet.bits && (ip.value ^ subnet.value) <= hostMask(subnet);
}

/** Tells whether an address is link-local IPv6 (RFC 4291 section 2.5.6, fe80::/10): a router may have it. */
export function isLinkLocal(ip: IpAddress): boolean {
  return ip.bits === 128 && ip.value >> 118n === 0x3fan;
}

/**
 * Tells why a machine cannot carry this address, or undefined when it can: the network and broadcast
 * addresses of its subnet (except in /31 and /32, RFC 3021; /127 and /128, RFC 6164), multicast, loopback,
 * unspecified.
 */
export function unusableReason(address: InterfaceAddress): string | undefined {
  const { bits, value, prefix } = address;
  if (bits === 32 ? value >> 24n === 127n : value === 1n) return 'a loopback address';
  if (bits === 32 ? value >> 24n === 0n : value === 0n) return 'an unspecified address';
  if (bits === 32 ? value >> 28n >= 0xen : value >> 120n === 0xffn) return 'a multicast or reserved address';
  if (prefix >= bits - 1) return undefined;
  const host = value & hostMask(address);
  if (host === 0n) return `the network address of its /${prefix}`;
  if (bits === 32 && host === hostMask(address)) return `the broadcast address of its /${prefix}`;
  return undefined;
}

/** Writes an IPv4 prefix length as a dotted netmask: 24 is 255.255.255.0. */
export function dottedNetmask(prefix: number): string {
  const mask = ((1n << BigInt(prefix)) - 1n) << BigInt(32 - prefix);
  return [24n, 16n, 8n, 0n].map((shift) => String((mask >> shift) & 255n)).join('.');
}
