import type { X509Certificate } from 'node:crypto';
import { parseIp } from '../../formats/ip-address.ts';
import { addressBytes, type CertificateNames, EXTENSION } from './certificate-extensions.ts';
import { derItems, extensionValue } from './certificate-fields.ts';

// GeneralSubtrees under nameConstraints, and GeneralName, RFC 5280 sections 4.2.1.10 and 4.2.1.6.
const PERMITTED = 0xa0;
const EXCLUDED = 0xa1;
const DNS_NAME = 0x82;
const IP_ADDRESS = 0x87;

/** A constraint on names covers the name itself and those below it; the empty one covers all. */
function coversName(constraint: Uint8Array, name: Uint8Array): boolean {
  const [outer, inner] = [constraint, name].map((each) => Buffer.from(each).toString('latin1').toLowerCase());
  return outer === '' || inner === outer || inner?.endsWith(`.${outer?.replace(/^\./, '')}`) === true;
}

/** A constraint on addresses is an address and a mask of the same family. */
function coversAddress(constraint: Uint8Array, address: Uint8Array): boolean {
  const half = constraint.length / 2;
  if (half !== address.length) return false;
  return address.every((byte, at) => ((byte ^ (constraint[at] ?? 0)) & (constraint[half + at] ?? 0)) === 0);
}

/** Lists those of some names and addresses that a CA's name constraints do not let it sign for. */
export function refusedNames(ca: X509Certificate, wanted: CertificateNames): string[] {
  const subtrees = derItems(extensionValue(ca, EXTENSION.nameConstraints));
  const bases = (list: number, kind: number): Uint8Array[] =>
    derItems(subtrees.find(({ tag }) => tag === list))
      .map((subtree) => derItems(subtree)[0])
      .flatMap((base) => (base?.tag === kind ? [base.content] : []));
  const refused = (
    kind: number,
    bytes: Uint8Array,
    covers: (constraint: Uint8Array, bytes: Uint8Array) => boolean,
  ): boolean => {
    const permitted = bases(PERMITTED, kind);
    if (bases(EXCLUDED, kind).some((base) => covers(base, bytes))) return true;
    return permitted.length > 0 && !permitted.some((base) => covers(base, bytes));
  };
  return [
    ...wanted.names.filter((name) => refused(DNS_NAME, Buffer.from(name, 'latin1'), coversName)),
    ...wanted.addresses.filter((address) => {
      const ip = parseIp(address);
      return ip === undefined || refused(IP_ADDRESS, addressBytes(ip), coversAddress);
    }),
  ];
}
