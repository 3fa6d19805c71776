import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import type { PemSpan } from '../../formats/pem.ts';
import {
  type Certificate,
  certificateId,
  isIssuedBy,
  parseCertificate,
  publicKeyText,
} from './certificate.ts';
import type { NamedText } from './ignition-texts.ts';
import { mapPem } from './map-pem.ts';

/** One place where a certificate stands: the text, and its number among the certificates of that text, from 0. */
export interface Occurrence {
  readonly path: string;
  readonly index: number;
  readonly certificate: Certificate;
}

/** One place where a private key stands. Never shown. */
export interface FoundKey {
  readonly path: string;
  readonly key: KeyObject;
  /** Its public half, as `Certificate.publicKey`. */
  readonly publicKey: string;
}

/** All certificates and keys of a config (or of some files). */
export interface Pki {
  /** What it was read from, for messages. */
  readonly where: string;
  readonly occurrences: readonly Occurrence[];
  /** Each certificate once, by its id, in the order found. */
  readonly certificates: ReadonlyMap<string, Certificate>;
  readonly keys: readonly FoundKey[];
  /** Where keys stand that cannot be read: encrypted, damaged, of an unknown kind. */
  readonly unreadableKeys: readonly string[];
  /** Everything else: each text with its path in front and its certificates blanked out. */
  readonly rest: readonly string[];
}

const KEY_TYPES = { 'RSA PRIVATE KEY': 'pkcs1', 'EC PRIVATE KEY': 'sec1', 'PRIVATE KEY': 'pkcs8' } as const;

function isKeyLabel(label: string): label is keyof typeof KEY_TYPES {
  return Object.hasOwn(KEY_TYPES, label);
}

function readKey(label: keyof typeof KEY_TYPES, der: Uint8Array): Omit<FoundKey, 'path'> | undefined {
  try {
    const key = createPrivateKey({ key: Buffer.from(der), format: 'der', type: KEY_TYPES[label] });
    return { key, publicKey: publicKeyText(createPublicKey(key)) };
  } catch {
    // The cause is dropped: it may speak of the key.
    return undefined;
  }
}

/**
 * Reads every certificate and private key of some texts, however they are encoded. Throws IGNITION_INVALID for a
 * certificate that is damaged; a key that cannot be read is noted, since it may never be needed.
 */
export function readPki(texts: readonly NamedText[], where: string): Pki {
  const occurrences: Occurrence[] = [];
  const certificates = new Map<string, Certificate>();
  const keys: FoundKey[] = [];
  const unreadableKeys: string[] = [];
  const rest: string[] = [];
  for (const { path, text } of texts) {
    let index = 0;
    const visit = ({ label, der, damage }: PemSpan): Uint8Array | undefined => {
      if (label === 'CERTIFICATE') {
        const certificate = certificates.get(certificateId(der)) ?? parseCertificate(der);
        if (certificate === undefined) {
          const got = damage ?? `got ${der.length} bytes that are no X.509 certificate`;
          throw new EdgefabError(`${where}: certificate ${index} of ${path} cannot be read: ${got}`, {
            code: 'IGNITION_INVALID',
            place: { file: where, field: path },
          });
        }
        certificates.set(certificate.id, certificate);
        occurrences.push({ path, index, certificate });
        index += 1;
        return new Uint8Array();
      }
      if (label.endsWith('PRIVATE KEY')) {
        const found = isKeyLabel(label) ? readKey(label, der) : undefined;
        if (found === undefined) unreadableKeys.push(path);
        else keys.push({ path, ...found });
      }
      return undefined;
    };
    rest.push(`${path}\n${mapPem(text, visit)}`);
  }
  return { where, occurrences, certificates, keys, unreadableKeys, rest };
}

/** Finds who signed each certificate, among those at hand: itself before others, then the one that lasts longest. */
export function issuersOf(pki: Pki): ReadonlyMap<string, Certificate> {
  const bySubject = new Map<string, Certificate[]>();
  for (const each of pki.certificates.values())
    bySubject.set(each.names.subject, [...(bySubject.get(each.names.subject) ?? []), each]);
  const issuers = new Map<string, Certificate>();
  for (const each of pki.certificates.values()) {
    const [issuer] = (bySubject.get(each.names.issuer) ?? [])
      .filter((candidate) => isIssuedBy(each, candidate))
      .sort((a, b) => Number(b === each) - Number(a === each) || b.notAfter.getTime() - a.notAfter.getTime());
    if (issuer !== undefined) issuers.set(each.id, issuer);
  }
  return issuers;
}

/**
 * Tells the certificates that serve others than this config: a CA whose key is not here and that signed nothing
 * here, such as a company's CA in a trust bundle. What they are good for ends elsewhere.
 */
export function outsideCas(pki: Pki, issuers: ReadonlyMap<string, Certificate>): ReadonlySet<string> {
  const held = new Set(pki.keys.map(({ publicKey }) => publicKey));
  const signing = new Set<string>();
  for (const [id, issuer] of issuers) if (issuer.id !== id) signing.add(issuer.publicKey);
  const outside = [...pki.certificates.values()].filter(
    ({ kind, publicKey }) => kind === 'ca' && !held.has(publicKey) && !signing.has(publicKey),
  );
  return new Set(outside.map(({ id }) => id));
}
