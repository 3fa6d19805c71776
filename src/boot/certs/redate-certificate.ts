import { createHash, type KeyObject, sign, verify } from 'node:crypto';
import { derBitString, derSequence, derTime, derUnsigned } from '../../formats/der.ts';
import { type DerValue, readDer, readObjectIdentifier } from '../../formats/der-reader.ts';
import { derItems } from './certificate-fields.ts';
import type { Validity } from './sign-certificate.ts';

/** Signature algorithms by object identifier: the hash that goes with each, null where the algorithm has its own. */
const HASHES: Readonly<Record<string, string | null>> = {
  // RSA with PKCS #1 v1.5, RFC 8017 appendix A.2.4.
  '1.2.840.113549.1.1.11': 'sha256',
  '1.2.840.113549.1.1.12': 'sha384',
  '1.2.840.113549.1.1.13': 'sha512',
  // ECDSA, RFC 5758 section 3.2.
  '1.2.840.10045.4.3.2': 'sha256',
  '1.2.840.10045.4.3.3': 'sha384',
  '1.2.840.10045.4.3.4': 'sha512',
  // Ed25519, RFC 8410 section 3.
  '1.3.101.112': null,
};

/** The parts of a certificate (RFC 5280 section 4.1) that re-dating tells apart. */
export interface CertificateParts {
  readonly toSign: DerValue;
  /** The fields of what is signed, in order. */
  readonly fields: readonly DerValue[];
  readonly serialAt: number;
  readonly validityAt: number;
  readonly algorithm: DerValue;
  readonly signature: DerValue;
}

/** Takes a certificate apart; undefined when it is not built as one. */
export function certificateParts(der: Uint8Array): CertificateParts | undefined {
  const [toSign, algorithm, signature, ...others] = derItems(readDer(der)?.[0]);
  const fields = derItems(toSign);
  // version is [0] EXPLICIT, and left out for version 1; then serial, algorithm, issuer, validity.
  const serialAt = fields[0]?.tag === 0xa0 ? 1 : 0;
  if (toSign === undefined || algorithm === undefined || signature === undefined || others.length > 0)
    return undefined;
  if (fields[serialAt]?.tag !== 0x02 || fields[serialAt + 3]?.tag !== 0x30) return undefined;
  return { toSign, fields, serialAt, validityAt: serialAt + 3, algorithm, signature };
}

/** The hash a certificate is signed with; undefined for an algorithm that is not supported (SHA-1, PSS, others). */
function hashOf(parts: CertificateParts): string | null | undefined {
  const [oid] = derItems(parts.algorithm);
  return HASHES[readObjectIdentifier(oid?.content ?? new Uint8Array())];
}

/** Tells whether the signature of a certificate is of a kind that can be made again. */
export function canResign(der: Uint8Array): boolean {
  const parts = certificateParts(der);
  return parts !== undefined && hashOf(parts) !== undefined;
}

/**
 * The serial number of a re-dated certificate: of the sha256 of the old certificate and its new validity as many
 * bytes as the old number has, at least 8, so that it is as long and never seen before.
 */
function newSerial(der: Uint8Array, validity: Uint8Array, old: DerValue): Uint8Array {
  // RFC 5280 section 4.1.2.2: at most 20 bytes.
  const length = Math.min(20, Math.max(8, old.content.length));
  const serial = createHash('sha256').update(der).update(validity).digest().subarray(0, length);
  // Positive, and of full length: the first bit is off and the second on.
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  return derUnsigned(serial);
}

/** Certificates made earlier, by the base64 of what they sign. */
export type EarlierCertificates = ReadonlyMap<string, Uint8Array>;

/** Prepares certificates made earlier for `redateCertificate`. */
export function earlierCertificates(ders: Iterable<Uint8Array>): EarlierCertificates {
  const earlier = new Map<string, Uint8Array>();
  for (const der of ders) {
    const parts = certificateParts(der);
    if (parts !== undefined) earlier.set(Buffer.from(parts.toSign.whole).toString('base64'), der);
  }
  return earlier;
}

/**
 * Makes a certificate again with another validity: only validity, serial number and signature differ, every other
 * byte stays. A signature made earlier over the very same content is kept, since ECDSA never gives one twice.
 * Undefined when it is not built as a certificate, or its signature is of a kind that cannot be made again.
 */
export function redateCertificate(
  der: Uint8Array,
  { notBefore, notAfter }: Validity,
  issuerKey: KeyObject,
  issuerPublicKey: KeyObject,
  earlier: EarlierCertificates,
): Uint8Array | undefined {
  const parts = certificateParts(der);
  const serial = parts?.fields[parts.serialAt];
  if (parts === undefined || serial === undefined) return undefined;
  const hash = hashOf(parts);
  if (hash === undefined) return undefined;
  const validity = derSequence(derTime(notBefore), derTime(notAfter));
  const fields = parts.fields.map(({ whole }) => whole);
  fields[parts.serialAt] = newSerial(der, validity, serial);
  fields[parts.validityAt] = validity;
  const toSign = derSequence(...fields);
  const kept = earlier.get(Buffer.from(toSign).toString('base64'));
  if (kept !== undefined && isSignedBy(kept, hash, issuerPublicKey)) return kept;
  return derSequence(toSign, parts.algorithm.whole, derBitString(sign(hash, toSign, issuerKey)));
}

function isSignedBy(der: Uint8Array, hash: string | null, publicKey: KeyObject): boolean {
  const parts = certificateParts(der);
  // The first byte of a BIT STRING says how many bits of the last one do not count: none.
  return (
    parts !== undefined && verify(hash, parts.toSign.whole, publicKey, parts.signature.content.subarray(1))
  );
}
