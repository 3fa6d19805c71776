import type { Ignition } from '../ignition/ignition.ts';
import type { Certificate } from './certificate.ts';
import { ignitionTexts } from './ignition-texts.ts';
import { issuersOf, type Occurrence, outsideCas, type Pki, readPki } from './read-pki.ts';
import { isKnownTrust, readerOf } from './trust-places.ts';

/** A certificate found in a config. Names are one line, `O=x, CN=y`, most significant part as in the file. */
export interface FoundCertificate {
  /** The file of the config that holds it; for one elsewhere in the config, the field. */
  readonly path: string;
  /** Its place among the certificates of that file, from 0. */
  readonly index: number;
  readonly subject: string;
  readonly issuer: string;
  readonly notBefore: Date;
  readonly notAfter: Date;
  readonly kind: 'ca' | 'leaf';
  readonly keyType: string;
  /** The same for every copy of one certificate. */
  readonly sha256: string;
  /** Whether its private key is at hand too. */
  readonly hasKey: boolean;
  /** Whether the key of its issuer is at hand, so that it can be made to last longer. */
  readonly hasIssuerKey: boolean;
  /** A CA that only lets others be trusted: its key is not here and it signed nothing here. */
  readonly outside: boolean;
  /** Who accepts it: readers of the trust bundles that hold it, or its issuer. */
  readonly trustedBy: readonly string[];
}

/** Where CAs are trusted: not beside their key, and not behind a leaf they signed, in its chain. */
function trustPlaces(pki: Pki, issuers: ReadonlyMap<string, Certificate>): Map<string, Set<string>> {
  const places = new Map<string, Set<string>>();
  const keyPaths = new Set(pki.keys.map(({ path }) => path));
  const chained = new Set<string>();
  for (const { path, certificate } of pki.occurrences) {
    const issuer = issuers.get(certificate.id);
    if (certificate.kind === 'leaf' && issuer !== undefined) chained.add(`${path} ${issuer.id}`);
    if (certificate.kind !== 'ca') continue;
    const besideKey = keyPaths.has(path.replace(/\.crt$/, '.key')) && path.endsWith('.crt');
    if (!isKnownTrust(path) && (besideKey || chained.has(`${path} ${certificate.id}`))) continue;
    places.set(certificate.id, (places.get(certificate.id) ?? new Set()).add(readerOf(path)));
  }
  return places;
}

/** Lists the certificates of a PKI that was read, with what may be known of each. */
export function certificatesIn(pki: Pki): FoundCertificate[] {
  const issuers = issuersOf(pki);
  const outside = outsideCas(pki, issuers);
  const held = new Set(pki.keys.map(({ publicKey }) => publicKey));
  const places = trustPlaces(pki, issuers);
  return pki.occurrences.map(({ path, index, certificate }: Occurrence) => {
    const { id, subject, issuer, notBefore, notAfter, kind, keyType, publicKey } = certificate;
    const signer = issuers.get(id);
    const trust = kind === 'ca' ? places.get(id) : places.get(signer?.id ?? '');
    return {
      path,
      index,
      subject,
      issuer,
      notBefore,
      notAfter,
      kind,
      keyType,
      sha256: id,
      hasKey: held.has(publicKey),
      hasIssuerKey: signer !== undefined && held.has(signer.publicKey),
      outside: outside.has(id),
      trustedBy: [...(trust ?? [])].sort(),
    };
  });
}

/**
 * Reads every certificate of a config: PEM files, chains and bundles, and those inside manifests, kubeconfigs and
 * nested configs. Throws IGNITION_INVALID for a certificate that cannot be read.
 */
export function certificatesOf(ignition: Ignition): FoundCertificate[] {
  return certificatesIn(readPki(ignitionTexts(ignition), ignition.where));
}
