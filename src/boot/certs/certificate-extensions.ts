import {
  derBitString,
  derBoolean,
  derContext,
  derObjectIdentifier,
  derOctetString,
  derSequence,
  derUnsigned,
} from '../../formats/der.ts';
import { type IpAddress, parseIp } from '../../formats/ip-address.ts';

/** Extensions by their object identifier, with the section of RFC 5280 that defines them. */
export const EXTENSION = {
  subjectKeyIdentifier: '2.5.29.14', // 4.2.1.2
  keyUsage: '2.5.29.15', // 4.2.1.3
  subjectAltName: '2.5.29.17', // 4.2.1.6
  basicConstraints: '2.5.29.19', // 4.2.1.9
  nameConstraints: '2.5.29.30', // 4.2.1.10
  authorityKeyIdentifier: '2.5.29.35', // 4.2.1.1
  extendedKeyUsage: '2.5.29.37', // 4.2.1.12
} as const;

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1';

/** Bits of keyUsage as a BIT STRING counts them, from the left: the byte and how many of its bits are unused. */
const KEY_USAGE = {
  // keyCertSign (5) and cRLSign (6).
  ca: derBitString(Buffer.of(0b0000_0110), 1),
  // digitalSignature (0): all an ECDSA key does in TLS.
  leaf: derBitString(Buffer.of(0b1000_0000), 7),
} as const;

/** DNS names and IP addresses, as a certificate carries or allows them. */
export interface CertificateNames {
  readonly names: readonly string[];
  readonly addresses: readonly string[];
}

// GeneralName, RFC 5280 section 4.2.1.6.
const DNS_NAME = 2;
const IP_ADDRESS = 7;

function extension(oid: string, critical: boolean, value: Uint8Array): Uint8Array {
  const flag = critical ? [derBoolean(true)] : [];
  return derSequence(derObjectIdentifier(oid), ...flag, derOctetString(value));
}

function dnsName(name: string): Uint8Array {
  return derContext(DNS_NAME, Buffer.from(name, 'latin1'), 'primitive');
}

/** An address as certificates carry it: 4 or 16 bytes, the most significant first. */
export function addressBytes({ bits, value }: IpAddress): Buffer {
  return Buffer.from(value.toString(16).padStart(bits / 4, '0'), 'hex');
}

function ipBytes(addresses: readonly string[]): Buffer[] {
  return addresses.map(parseIp).flatMap((ip) => (ip === undefined ? [] : [addressBytes(ip)]));
}

/** The extensions of a CA that signs leaves only, for these names and single addresses only; all that bind are critical. */
export function caExtensions(keyId: Uint8Array, permitted: CertificateNames): Uint8Array[] {
  const subtrees = [
    ...permitted.names.map(dnsName),
    // Address and mask in one (section 4.2.1.10); a mask of ones allows the one address.
    ...ipBytes(permitted.addresses).map((bytes) =>
      derContext(IP_ADDRESS, Buffer.concat([bytes, Buffer.alloc(bytes.length, 0xff)]), 'primitive'),
    ),
  ].map((name) => derSequence(name));
  return [
    extension(EXTENSION.basicConstraints, true, derSequence(derBoolean(true), derUnsigned(Buffer.of(0)))),
    extension(EXTENSION.keyUsage, true, KEY_USAGE.ca),
    extension(
      EXTENSION.nameConstraints,
      true,
      derSequence(derContext(0, Buffer.concat(subtrees), 'constructed')),
    ),
    extension(EXTENSION.subjectKeyIdentifier, false, derOctetString(keyId)),
  ];
}

/** The extensions of a TLS server's certificate. */
export function leafExtensions(
  keyId: Uint8Array,
  issuerKeyId: Uint8Array,
  { names, addresses }: CertificateNames,
): Uint8Array[] {
  const altNames = [
    ...names.map(dnsName),
    ...ipBytes(addresses).map((bytes) => derContext(IP_ADDRESS, bytes, 'primitive')),
  ];
  return [
    extension(EXTENSION.basicConstraints, true, derSequence()),
    extension(EXTENSION.keyUsage, true, KEY_USAGE.leaf),
    extension(EXTENSION.extendedKeyUsage, false, derSequence(derObjectIdentifier(SERVER_AUTH))),
    extension(EXTENSION.subjectAltName, false, derSequence(...altNames)),
    extension(EXTENSION.subjectKeyIdentifier, false, derOctetString(keyId)),
    extension(EXTENSION.authorityKeyIdentifier, false, derSequence(derContext(0, issuerKeyId, 'primitive'))),
  ];
}
