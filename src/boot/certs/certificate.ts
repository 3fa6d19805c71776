import { createHash, type KeyObject, X509Certificate } from 'node:crypto';
import { readDer } from '../../formats/der-reader.ts';
import { EXTENSION } from './certificate-extensions.ts';
import {
  criticalExtensions,
  derItems,
  extensionValue,
  issuerName,
  subjectName,
} from './certificate-fields.ts';

/** A certificate that was read, with what is needed to chain it. */
export interface Certificate {
  /** sha256 of its bytes, in hex: what names it. */
  readonly id: string;
  readonly der: Uint8Array;
  readonly x509: X509Certificate;
  /** Names on one line, `O=x, CN=y`, the most significant part as in the certificate. */
  readonly subject: string;
  readonly issuer: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly kind: 'ca' | 'leaf';
  readonly keyType: string;
  /** Its public key as DER, in base64: equal when and only when the keys are. */
  readonly publicKey: string;
  /** Subject and issuer as DER, in base64: names match when these do. */
  readonly names: { readonly subject: string; readonly issuer: string };
}

/** Far above any certificate of an installer (2 KiB). */
const MAX_BYTES = 64 * 1024;
/** The key of a certificate that cannot be read; it then belongs to no private key. */
const UNKNOWN = 'unknown';
const CURVES: Readonly<Record<string, string>> = {
  prime256v1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
};
/** Critical ones OpenSSL and Go act on; with another one a certificate is refused by whoever checks it. */
const UNDERSTOOD: readonly string[] = [
  EXTENSION.keyUsage,
  EXTENSION.subjectAltName,
  EXTENSION.basicConstraints,
  EXTENSION.nameConstraints,
  EXTENSION.extendedKeyUsage,
];

/** Says what kind of key one is, and how large: `RSA 2048`, `ECDSA P-256`. */
function keyTypeOf(key: KeyObject): string {
  const { modulusLength, namedCurve = '' } = key.asymmetricKeyDetails ?? {};
  if (key.asymmetricKeyType === 'rsa') return `RSA ${modulusLength}`;
  if (key.asymmetricKeyType === 'ec') return `ECDSA ${CURVES[namedCurve] ?? namedCurve}`;
  return key.asymmetricKeyType ?? UNKNOWN;
}

/** Encodes a public key so that equal keys are equal texts. */
export function publicKeyText(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'der' }).toString('base64');
}

/** Names a certificate or a key by its bytes. */
export function sha256Hex(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}

function oneLine(name: string): string {
  return name.trim().replaceAll('\n', ', ');
}

/** A trust bundle may hold keys of a kind this OpenSSL does not know. */
function publicKeyOf(x509: X509Certificate): KeyObject | undefined {
  try {
    return x509.publicKey;
  } catch {
    return undefined;
  }
}

/** Parses one certificate; undefined when the bytes are none, or not only one. */
export function parseCertificate(der: Uint8Array): Certificate | undefined {
  if (der.length > MAX_BYTES || readDer(der)?.length !== 1) return undefined;
  try {
    const x509 = new X509Certificate(der);
    const key = publicKeyOf(x509);
    const certificate: Certificate = {
      id: sha256Hex(der),
      der,
      x509,
      subject: oneLine(x509.subject ?? ''),
      issuer: oneLine(x509.issuer ?? ''),
      notBefore: x509.validFromDate,
      notAfter: x509.validToDate,
      kind: x509.ca ? 'ca' : 'leaf',
      keyType: key === undefined ? UNKNOWN : keyTypeOf(key),
      publicKey: key === undefined ? UNKNOWN : publicKeyText(key),
      names: { subject: base64(subjectName(x509)), issuer: base64(issuerName(x509)) },
    };
    const timed = !Number.isNaN(certificate.notBefore.getTime() + certificate.notAfter.getTime());
    return timed ? certificate : undefined;
  } catch {
    return undefined;
  }
}

/** Lists the critical extensions of a certificate that neither OpenSSL nor Go act on, by object identifier. */
export function unknownCritical(certificate: Certificate): string[] {
  return criticalExtensions(certificate.x509).filter((oid) => !UNDERSTOOD.includes(oid));
}

/** What `isIssuedBy` found: a certificate never changes, and checking a signature takes a millisecond. */
const found = new WeakMap<Certificate, WeakMap<Certificate, boolean>>();

/** Tells whether a certificate names another (or itself) as its issuer and was signed by its key. */
export function isIssuedBy(certificate: Certificate, issuer: Certificate): boolean {
  if (certificate.names.issuer !== issuer.names.subject || issuer.publicKey === UNKNOWN) return false;
  const known = found.get(certificate) ?? new WeakMap<Certificate, boolean>();
  found.set(certificate, known);
  const result = known.get(issuer) ?? certificate.x509.verify(issuer.x509.publicKey);
  known.set(issuer, result);
  return result;
}

/** How a certificate names its key and its issuer's, in hex; what it does not say is empty. */
export interface KeyIdentifiers {
  readonly own: string;
  readonly issuer: string;
  /** The serial number its issuer must have; installers leave this out. */
  readonly issuerSerial: string;
}

/** Reads the key identifiers a certificate carries (RFC 5280 sections 4.2.1.1 and 4.2.1.2). */
export function keyIdentifiers({ x509 }: Certificate): KeyIdentifiers {
  const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
  // AuthorityKeyIdentifier ::= SEQUENCE { [0] key identifier, [1] issuer names, [2] issuer's serial number }.
  const parts = derItems(extensionValue(x509, EXTENSION.authorityKeyIdentifier));
  return {
    own: hex(extensionValue(x509, EXTENSION.subjectKeyIdentifier)?.content),
    issuer: hex(parts.find(({ tag }) => tag === 0x80)?.content),
    issuerSerial: hex(parts.find(({ tag }) => tag === 0x82)?.content),
  };
}
