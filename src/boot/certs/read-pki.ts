import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import type { PemSpan } from '../../formats/pem.ts';
import { type Certificate, isIssuedBy, parseCertificate, publicKeyText, sha256Hex } from './certificate.ts';
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

/** What one text holds. */
interface PkiPart extends NamedText {
  readonly certificates: readonly Certificate[];
  readonly keys: readonly FoundKey[];
  readonly unreadableKeys: number;
  /** The text with its certificates blanked out. */
  readonly rest: string;
}

/** All certificates and keys of a config (or of some files). */
export interface Pki {
  /** What it was read from, for messages. */
  readonly where: string;
  readonly parts: readonly PkiPart[];
  readonly occurrences: readonly Occurrence[];
  /** Each certificate once, by its id, in the order found. */
  readonly certificates: ReadonlyMap<string, Certificate>;
  readonly keys: readonly FoundKey[];
  /** Where keys stand that cannot be read: encrypted, damaged, of an unknown kind. */
  readonly unreadableKeys: readonly string[];
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

function readPart(
  { path, text }: NamedText,
  where: string,
  known: ReadonlyMap<string, Certificate>,
): PkiPart {
  const certificates: Certificate[] = [];
  const keys: FoundKey[] = [];
  let unreadableKeys = 0;
  const visit = ({ label, der, damage }: PemSpan): Uint8Array | undefined => {
    if (label === 'CERTIFICATE') {
      const certificate = known.get(sha256Hex(der)) ?? parseCertificate(der);
      if (certificate === undefined) {
        const got = damage ?? `got ${der.length} bytes that are no X.509 certificate`;
        throw new EdgefabError(
          `${where}: certificate ${certificates.length} of ${path} cannot be read: ${got}`,
          { code: 'IGNITION_INVALID', place: { file: where, field: path } },
        );
      }
      certificates.push(certificate);
      return new Uint8Array();
    }
    if (label.endsWith('PRIVATE KEY')) {
      const found = isKeyLabel(label) ? readKey(label, der) : undefined;
      if (found === undefined) unreadableKeys += 1;
      else keys.push({ path, ...found });
    }
    return undefined;
  };
  const rest = mapPem(text, visit);
  return { path, text, certificates, keys, unreadableKeys, rest };
}

/**
 * Reads every certificate and private key of some texts, however they are encoded. Throws IGNITION_INVALID for a
 * certificate that is damaged; a key that cannot be read is noted, since it may never be needed. Texts that
 * `known` read under the same path, character for character, are taken from there.
 */
export function readPki(texts: readonly NamedText[], where: string, known?: Pki): Pki {
  const knownParts = new Map<string, PkiPart[]>();
  for (const part of known?.parts ?? [])
    knownParts.set(part.path, [...(knownParts.get(part.path) ?? []), part]);
  const certificates = new Map<string, Certificate>();
  const counts = new Map<string, number>();
  const occurrences: Occurrence[] = [];
  const parts: PkiPart[] = [];
  for (const named of texts) {
    const part =
      knownParts.get(named.path)?.find(({ text }) => text === named.text) ??
      readPart(named, where, known?.certificates ?? certificates);
    parts.push(part);
    for (const each of part.certificates) {
      // One object for each certificate, whatever copies there are.
      const certificate = certificates.get(each.id) ?? each;
      certificates.set(each.id, certificate);
      const index = counts.get(part.path) ?? 0;
      counts.set(part.path, index + 1);
      occurrences.push({ path: part.path, index, certificate });
    }
  }
  return {
    where,
    parts,
    occurrences,
    certificates,
    keys: parts.flatMap(({ keys }) => keys),
    unreadableKeys: parts.flatMap(({ path, unreadableKeys }) => (unreadableKeys > 0 ? [path] : [])),
  };
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
