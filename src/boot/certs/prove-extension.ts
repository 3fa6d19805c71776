import { EdgefabError } from '../../errors.ts';
import { diffIgnition } from '../ignition/diff-ignition.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { type Certificate, isIssuedBy, sha256Hex } from './certificate.ts';
import { ignitionTexts } from './ignition-texts.ts';
import { assertSoundPki } from './pki-faults.ts';
import type { RedatingPlan } from './plan-redating.ts';
import { issuersOf, type Pki, readPki } from './read-pki.ts';
import { certificateParts } from './redate-certificate.ts';

export interface ExtensionToProve {
  readonly before: Ignition;
  /** What `before` holds. */
  readonly pki: Pki;
  readonly after: Ignition;
  readonly plan: RedatingPlan;
  /** New bytes by the id of the old certificate. */
  readonly made: ReadonlyMap<string, Uint8Array>;
}

/** Whatever this finds is our own mistake: the input was checked before. */
function broken(where: string, what: string): EdgefabError {
  return new EdgefabError(
    `${where}: re-dated certificates did not prove right, so nothing is written: ${what}`,
    {
      code: 'CERTIFICATE_PROOF_FAILED',
      suggestions: ['Please report this; the config you gave is unchanged'],
      place: { file: where },
    },
  );
}

/** Every field but validity and serial number must be the very same bytes, the signature's algorithm too. */
function sameButDates(old: Uint8Array, made: Uint8Array): boolean {
  const [a, b] = [certificateParts(old), certificateParts(made)];
  if (a === undefined || b === undefined || a.fields.length !== b.fields.length) return false;
  const same = (left: Uint8Array, right: Uint8Array): boolean => Buffer.compare(left, right) === 0;
  return (
    same(a.algorithm.whole, b.algorithm.whole) &&
    a.fields.every(
      ({ whole }, at) =>
        at === a.serialAt || at === a.validityAt || same(whole, b.fields[at]?.whole ?? new Uint8Array()),
    )
  );
}

function proveValidity(each: Certificate, issuer: Certificate | undefined): string | undefined {
  if (issuer === undefined || !isIssuedBy(each, issuer)) return 'its signature does not verify';
  if (issuer === each) return undefined;
  if (!each.x509.checkIssued(issuer.x509)) return `${issuer.subject} is no issuer of it`;
  if (each.notBefore.getTime() < issuer.notBefore.getTime()) return 'it begins before its issuer';
  if (each.notAfter.getTime() > issuer.notAfter.getTime()) return 'it ends after its issuer';
  return undefined;
}

/**
 * Proves an extension by reading the new config afresh: each certificate stands where its old one stood and
 * differs from it in validity, serial number and signature alone; it verifies, within the life of its issuer, and
 * against the bundles of its consumers; keys still match; nothing else in the config differs. Gives the new ids
 * by the old ones. Throws CERTIFICATE_PROOF_FAILED.
 */
export function proveExtension({ before, pki, after, plan, made }: ExtensionToProve): Map<string, string> {
  const { where } = before;
  // Texts that are the same, character for character, need not be read twice.
  const fresh = readPki(ignitionTexts(after), where, pki);
  try {
    assertSoundPki(fresh);
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    throw broken(where, error.message);
  }
  const ids = new Map([...made].map(([id, der]) => [id, sha256Hex(der)]));
  const issuers = issuersOf(fresh);
  for (const { certificate, validity } of plan.redatings) {
    const { subject, id, der } = certificate;
    const now = fresh.certificates.get(ids.get(id) ?? '');
    if (now === undefined) throw broken(where, `${subject} is not there`);
    if (!sameButDates(der, now.der)) throw broken(where, `${subject} differs in more than its dates`);
    const dated =
      now.notBefore.getTime() === validity.notBefore.getTime() &&
      now.notAfter.getTime() === validity.notAfter.getTime();
    const fault = dated ? proveValidity(now, issuers.get(now.id)) : 'its dates are not those planned';
    if (fault !== undefined) throw broken(where, `${subject}: ${fault}`);
  }
  if (fresh.occurrences.length !== pki.occurrences.length) throw broken(where, 'certificates are missing');
  const touched = new Set<string>();
  for (const [at, { path, index, certificate }] of pki.occurrences.entries()) {
    const now = fresh.occurrences[at];
    const id = ids.get(certificate.id) ?? certificate.id;
    if (now?.path !== path || now.index !== index || now.certificate.id !== id)
      throw broken(where, `certificate ${index} of ${path} is not the one it was`);
    if (ids.has(certificate.id)) touched.add(path);
  }
  const same = pki.parts.every(({ path, rest }, at) => {
    const now = fresh.parts[at];
    return now?.path === path && now.rest === rest;
  });
  if (!same || pki.parts.length !== fresh.parts.length)
    throw broken(where, 'something other than certificates changed');
  for (const { kind, what, path } of diffIgnition(before, after))
    if (kind !== 'changed' || (what === 'file' && !touched.has(path)))
      throw broken(where, `${what} ${path} is ${kind}`);
  return ids;
}
