import { EdgefabError } from '../../errors.ts';
import type { Ignition } from '../ignition/ignition.ts';
import type { Certificate } from './certificate.ts';
import type { CertificateChange } from './certificate-change.ts';
import { ignitionTexts, mapIgnitionTexts } from './ignition-texts.ts';
import { lifeWarnings } from './life-warnings.ts';
import { mapPem } from './map-pem.ts';
import { assertSoundPki } from './pki-faults.ts';
import { type Blocked, planRedating, type Redating } from './plan-redating.ts';
import { proveExtension } from './prove-extension.ts';
import { type Pki, readPki } from './read-pki.ts';
import { earlierCertificates, redateCertificate } from './redate-certificate.ts';
import { daysAndHours } from './shelf-life.ts';

const DAY_MS = 86_400_000;
/** What an installer gives its longest-lived certificates: ten years of 365 days. */
const MAX_LIFE_MS = 3650 * DAY_MS;

export interface ExtendOptions {
  /** How long, from `now`, every certificate is to last. */
  readonly validForMs: number;
  /** The time of the build. Same config, same time, same bytes (but for ECDSA: see `earlier`). */
  readonly now: Date;
  /** Do what can be done instead of refusing when some certificate cannot last so long. */
  readonly allowShorter?: boolean;
  /** What an earlier run gave for the same config: its signatures are kept where they are over the same content. */
  readonly earlier?: Ignition | undefined;
}

/** A certificate that ends before what was asked for, and why it could not be helped. */
export interface ShortCertificate {
  readonly subject: string;
  readonly paths: readonly string[];
  readonly notAfter: Date;
  readonly reason: string;
}

export interface Extension {
  readonly ignition: Ignition;
  readonly changes: readonly CertificateChange[];
  /** Empty unless `allowShorter`. */
  readonly short: readonly ShortCertificate[];
  readonly warnings: readonly string[];
}

function wholeSeconds(ms: number): Date {
  return new Date(Math.floor(ms / 1000) * 1000);
}

function checkLife(validForMs: number): void {
  if (validForMs > 0 && validForMs <= MAX_LIFE_MS) return;
  throw new EdgefabError(
    `certificates are to last ${validForMs / DAY_MS} d, want more than 0 and at most ${MAX_LIFE_MS / DAY_MS} d (10 years)`,
    {
      code: 'CERTIFICATE_LIFE_INVALID',
      suggestions: ['Choose the longest time between building and booting, for example 30d'],
    },
  );
}

/** Where a certificate stands: its own file, the one beside its key, before the bundles that repeat it. */
function pathsOf(pki: Pki, { id }: Certificate): string[] {
  const keyPaths = new Set(pki.keys.map(({ path }) => path));
  const found = pki.occurrences.filter((each) => each.certificate.id === id).map(({ path }) => path);
  const isOwn = (path: string): boolean => keyPaths.has(path.replace(/\.crt$/, '.key'));
  return [...new Set([...found.filter(isOwn), ...found])];
}

function refuseShort(where: string, short: readonly ShortCertificate[], horizon: Date, now: Date): void {
  if (short.length === 0) return;
  const reached = Math.min(...short.map(({ notAfter }) => notAfter.getTime()));
  const days = Math.floor((reached - now.getTime()) / DAY_MS);
  const lines = short.map(
    ({ subject, paths, notAfter, reason }) =>
      `  ${subject} in ${paths[0]} ends at ${notAfter.toISOString()}: ${reason}`,
  );
  throw new EdgefabError(
    `${where}: ${short.length} certificates cannot last until ${horizon.toISOString()}:\n${lines.join('\n')}`,
    {
      code: 'CERTIFICATE_HORIZON',
      suggestions: [
        ...(days > 0 ? [`Ask for at most ${days}d, which all of them reach`] : []),
        'Make a new Ignition config with openshift-install',
      ],
      place: { file: where },
      faults: short.map(({ subject, paths, reason }) => ({
        place: { file: where, field: paths[0] ?? '' },
        message: `${subject}: ${reason}`,
      })),
    },
  );
}

function shortOf(pki: Pki, { certificate, reason, notAfter }: Blocked): ShortCertificate {
  return { subject: certificate.subject, paths: pathsOf(pki, certificate), notAfter, reason };
}

/** Signs them all: old id to new bytes. */
function signAll(redatings: readonly Redating[], earlier: Pki | undefined): Map<string, Uint8Array> {
  const known = earlierCertificates([...(earlier?.certificates.values() ?? [])].map(({ der }) => der));
  const made = new Map<string, Uint8Array>();
  for (const { certificate, issuer, signer, validity } of redatings) {
    const der = redateCertificate(certificate.der, validity, signer.key, issuer.x509.publicKey, known);
    if (der !== undefined) made.set(certificate.id, der);
  }
  return made;
}

function replaceCopies(ignition: Ignition, made: ReadonlyMap<string, Uint8Array>, pki: Pki): Ignition {
  const byContent = new Map<string, Uint8Array>();
  for (const [id, der] of made) {
    const old = pki.certificates.get(id);
    if (old !== undefined) byContent.set(Buffer.from(old.der).toString('base64'), der);
  }
  const paths = new Set(
    pki.occurrences.filter(({ certificate }) => made.has(certificate.id)).map(({ path }) => path),
  );
  return mapIgnitionTexts(ignition, ({ path, text }) =>
    paths.has(path)
      ? mapPem(text, ({ label, der }) =>
          label === 'CERTIFICATE' ? byContent.get(Buffer.from(der).toString('base64')) : undefined,
        )
      : text,
  );
}

/**
 * Makes every certificate of a config last until `now + validForMs`: those that end earlier are signed again by
 * the keys in the config, in every place where they stand, and proved. Only their validity, serial number and
 * signature change. Throws CERTIFICATE_LIFE_INVALID, CERTIFICATE_HORIZON when one cannot last so long,
 * CERTIFICATES_INVALID when keys and certificates of the config do not belong together, IGNITION_INVALID.
 */
export function extendCertificates(ignition: Ignition, options: ExtendOptions): Extension {
  checkLife(options.validForMs);
  const now = wholeSeconds(options.now.getTime());
  const horizon = wholeSeconds(now.getTime() + options.validForMs);
  const pki = readPki(ignitionTexts(ignition), ignition.where);
  assertSoundPki(pki);
  const plan = planRedating(pki, horizon, now);
  const short = plan.blocked.map((each) => shortOf(pki, each));
  if (options.allowShorter !== true) refuseShort(ignition.where, short, horizon, now);
  const { earlier } = options;
  const made = signAll(
    plan.redatings,
    earlier === undefined ? undefined : readPki(ignitionTexts(earlier), earlier.where),
  );
  const extended = replaceCopies(ignition, made, pki);
  const after = proveExtension({ before: ignition, pki, after: extended, plan, made });
  const changes = plan.redatings.map(({ certificate, issuer, validity }): CertificateChange => {
    const { subject, kind, keyType, notBefore, notAfter, id } = certificate;
    return {
      subject,
      kind,
      keyType,
      paths: pathsOf(pki, certificate),
      before: { notBefore, notAfter },
      after: validity,
      signedBy: issuer.subject,
      sha256: { before: id, after: after.get(id) ?? '' },
    };
  });
  const outside = plan.outside.map(
    (each) =>
      `the CA ${each.subject} in ${pathsOf(pki, each)[0]} ends at ${each.notAfter.toISOString()} and stays as it is: it only lets others be trusted, and its key is not here`,
  );
  const shorter = short.map(
    ({ subject, paths, notAfter, reason }) =>
      `${subject} in ${paths[0]} ends at ${notAfter.toISOString()}, before the ${daysAndHours(options.validForMs)} asked for: ${reason}`,
  );
  return {
    ignition: extended,
    changes,
    short,
    warnings: [...lifeWarnings(changes, pki, horizon, options.validForMs), ...shorter, ...outside],
  };
}
