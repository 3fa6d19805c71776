import { type Certificate, keyIdentifiers, unknownCritical } from './certificate.ts';
import { type FoundKey, issuersOf, outsideCas, type Pki } from './read-pki.ts';
import { canResign } from './redate-certificate.ts';
import type { Validity } from './sign-certificate.ts';

/** How far back a re-dated certificate begins, for a clock that is a little behind: one hour. */
const MARGIN_MS = 3_600_000;

/** One certificate to make again, and with whose key. */
export interface Redating {
  readonly certificate: Certificate;
  /** The same certificate when it signed itself. */
  readonly issuer: Certificate;
  readonly signer: FoundKey;
  readonly validity: Validity;
}

/** A certificate that cannot last as long as wanted, and why. */
export interface Blocked {
  readonly certificate: Certificate;
  readonly reason: string;
  /** When it ends as things are. */
  readonly notAfter: Date;
}

export interface RedatingPlan {
  /** Issuers before what they issued. */
  readonly redatings: readonly Redating[];
  readonly blocked: readonly Blocked[];
  /** CAs that end too early and only let others be trusted. */
  readonly outside: readonly Certificate[];
}

/**
 * Plans which certificates of a PKI to make again so that all last until `horizon`: those that end before it, from
 * one hour before `now`, but never from before or until after their issuer. What cannot be signed is listed.
 */
export function planRedating(pki: Pki, horizon: Date, now: Date): RedatingPlan {
  const issuers = issuersOf(pki);
  const outside = outsideCas(pki, issuers);
  const keys = new Map(pki.keys.map((key) => [key.publicKey, key]));
  /** Those whose serial number another certificate names: they cannot get a new one. */
  const pinned = new Set(
    [...issuers].flatMap(([id, issuer]) => {
      const issued = pki.certificates.get(id);
      return issued !== undefined && keyIdentifiers(issued).issuerSerial !== '' ? [issuer.id] : [];
    }),
  );
  const redatings: Redating[] = [];
  const blocked: Blocked[] = [];
  const planned = new Map<string, Validity>();

  const endsEarly = ({ notAfter }: Certificate): boolean => notAfter.getTime() < horizon.getTime();
  /** What was issued and stays as it is must not begin before its issuer. */
  const latestStart = (issuer: Certificate): number => {
    let latest = now.getTime() - MARGIN_MS;
    for (const [id, each] of issuers) {
      const issued = pki.certificates.get(id);
      if (each !== issuer || issued === undefined || issued === issuer || endsEarly(issued)) continue;
      latest = Math.min(latest, issued.notBefore.getTime());
    }
    return latest;
  };

  const visit = (certificate: Certificate): Validity => {
    const known = planned.get(certificate.id);
    if (known !== undefined) return known;
    const { notBefore, notAfter } = certificate;
    const unchanged: Validity = { notBefore, notAfter };
    // Set at once: certificates that issue each other end here.
    planned.set(certificate.id, unchanged);
    if (!endsEarly(certificate) || outside.has(certificate.id)) return unchanged;
    const block = (reason: string): void => {
      blocked.push({ certificate, reason, notAfter: planned.get(certificate.id)?.notAfter ?? notAfter });
    };
    const issuer = issuers.get(certificate.id);
    if (issuer === undefined) {
      block(`its issuer ${certificate.issuer} is not here`);
      return unchanged;
    }
    const frame = issuer === certificate ? undefined : visit(issuer);
    const signer = keys.get(issuer.publicKey);
    const refusal = pinned.has(certificate.id)
      ? 'a certificate it signed names its serial number, which would change'
      : refusalOf(certificate, issuer, signer);
    if (signer === undefined || refusal !== undefined) {
      block(refusal ?? '');
      return unchanged;
    }
    const start = Math.max(latestStart(certificate), frame?.notBefore.getTime() ?? -Infinity);
    const end = Math.min(horizon.getTime(), frame?.notAfter.getTime() ?? Infinity);
    if (end > notAfter.getTime() && end > start) {
      const validity: Validity = { notBefore: new Date(start), notAfter: new Date(end) };
      planned.set(certificate.id, validity);
      redatings.push({ certificate, issuer, signer, validity });
    }
    if (end < horizon.getTime() || end <= start)
      block(
        `its issuer ${issuer.subject} lasts from ${isoOf(frame?.notBefore)} until ${isoOf(frame?.notAfter)}`,
      );
    return planned.get(certificate.id) ?? unchanged;
  };

  for (const certificate of pki.certificates.values()) visit(certificate);
  return {
    redatings,
    blocked,
    outside: [...pki.certificates.values()].filter((each) => outside.has(each.id) && endsEarly(each)),
  };
}

function isoOf(date: Date | undefined): string {
  return date?.toISOString() ?? 'now';
}

/** Why a certificate cannot be made again, whatever its dates; undefined when it can. */
function refusalOf(
  certificate: Certificate,
  issuer: Certificate,
  signer: FoundKey | undefined,
): string | undefined {
  if (signer === undefined) {
    return issuer === certificate
      ? 'it signed itself, and its key is not here'
      : `the key of its issuer ${issuer.subject} is not here`;
  }
  const odd = unknownCritical(certificate);
  if (odd.length > 0) return `it has the critical extension ${odd.join(', ')}, whose meaning is not known`;
  if (!canResign(certificate.der))
    return 'its signature algorithm is not supported (RSA or ECDSA with SHA-2 is)';
  return undefined;
}
