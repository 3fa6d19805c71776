import type { KeyObject } from 'node:crypto';
import { dirname, join } from 'node:path';
import { fileText } from '../../boot/ignition/file-contents.ts';
import { parseIgnition } from '../../boot/ignition/parse-ignition.ts';
import { inspectIso } from '../../boot/iso/inspect-iso.ts';
import { readIsoIgnition } from '../../boot/iso/read-iso.ts';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { FileHasher } from '../../mirror/store/file-hasher.ts';
import { fileSize } from '../file-size.ts';
import { loadReceipt } from './load-receipt.ts';
import type { Receipt } from './receipt.ts';
import { isSignedBy } from './sign-receipt.ts';

export interface VerifyReceiptOptions {
  /** Keys that may have signed it. */
  readonly keys: readonly KeyObject[];
  readonly requireSignature: boolean;
  /** Where the ISO is, when it is not beside the receipt. */
  readonly iso?: string;
}

/** What a receipt was checked to be true of. */
export interface VerifiedReceipt {
  readonly receipt: Receipt;
  readonly iso: string;
  /** `unchecked`: it is signed, and no key was given to check it with. */
  readonly signature: 'none' | 'unchecked' | 'good';
  /** True and worth knowing: certificates that have ended, a rehearsal that failed or was of another build. */
  readonly warnings: readonly string[];
}

/**
 * Verifies a receipt: its signature, every byte of its ISO, and that the config inside is of the same build. Throws
 * SIGNATURE_INVALID, SIGNATURE_MISSING, RECEIPT_MISMATCH naming what differs, RECEIPT_INVALID, FILE_UNREADABLE.
 */
export async function verifyReceipt(
  path: string,
  { keys, requireSignature, iso: isoFile }: VerifyReceiptOptions,
  hasher: Pick<FileHasher, 'hash'>,
  { now }: Pick<Host, 'now'>,
): Promise<VerifiedReceipt> {
  const receipt = await loadReceipt(path);
  const signature = signatureState(path, receipt, keys, requireSignature);
  const iso = isoFile ?? join(dirname(path), receipt.iso.file);
  const differs = (what: string, got: string | number, want: string | number): EdgefabError =>
    new EdgefabError(`${iso} is not what ${path} says: its ${what} is ${got}, want ${want}`, {
      code: 'RECEIPT_MISMATCH',
      suggestions: ['Do not boot from it: build the site again, or get the ISO that belongs to the receipt'],
      place: { file: iso },
    });
  const size = await fileSize(iso);
  if (size !== receipt.iso.sizeBytes) throw differs('size', size, receipt.iso.sizeBytes);
  const digest = (await hasher.hash(iso, () => undefined)).slice('sha256:'.length);
  if (digest !== receipt.iso.sha256) throw differs('sha256', digest, receipt.iso.sha256);
  const buildId = await embeddedBuildId(iso);
  if (buildId !== receipt.buildId) throw differs('build id', buildId ?? 'not there', receipt.buildId);
  return {
    receipt,
    iso,
    signature,
    warnings: [...lifeWarnings(receipt, now()), ...rehearsalWarnings(receipt)],
  };
}

function signatureState(
  path: string,
  receipt: Receipt,
  keys: readonly KeyObject[],
  required: boolean,
): VerifiedReceipt['signature'] {
  const { signature } = receipt;
  if (signature === undefined) {
    if (!required && keys.length === 0) return 'none';
    throw new EdgefabError(`${path} is not signed`, {
      code: 'SIGNATURE_MISSING',
      suggestions: ['Set signingKey in factory.yaml and build again'],
      place: { file: path },
    });
  }
  if (keys.some((key) => isSignedBy(receipt, key))) return 'good';
  if (!required && keys.length === 0) return 'unchecked';
  throw new EdgefabError(
    keys.length === 0
      ? `${path} is signed by the key ${signature.keyId}, and no key was given to check it with`
      : `${path} is not signed by any of the keys given: it names the key ${signature.keyId}`,
    {
      code: 'SIGNATURE_INVALID',
      suggestions: [
        'Give the public key of the factory with --key; if that is the one, the receipt was changed',
      ],
      place: { file: path },
    },
  );
}

async function embeddedBuildId(path: string): Promise<string | undefined> {
  const ignition = await readIsoIgnition(await inspectIso(path));
  if (ignition === undefined) return undefined;
  const text = fileText(parseIgnition(ignition, path), '/etc/edgefab/build.json');
  if (text === undefined) return undefined;
  const value: unknown = JSON.parse(text);
  const isBuild = typeof value === 'object' && value !== null && 'buildId' in value;
  return isBuild && typeof value.buildId === 'string' ? value.buildId : undefined;
}

function lifeWarnings({ certificates }: Receipt, now: Date): string[] {
  if (certificates === null || new Date(certificates.notAfter) > now) return [];
  return [`the certificates inside ended at ${certificates.notAfter}: this ISO will not install any more`];
}

/** Of those of this build the newest counts: what an earlier one found has been seen to, or was the machine's fault. */
function rehearsalWarnings({ buildId, rehearsals = [] }: Receipt): string[] {
  const warnings = rehearsals
    .filter((each) => each.buildId !== buildId)
    .map(
      (each) =>
        `the rehearsal of ${each.endedAt} was of another build, ${each.buildId}: it tells nothing of this one`,
    );
  const newest = rehearsals.findLast((each) => each.buildId === buildId);
  if (newest?.verdict !== 'failed') return warnings;
  const wrong = newest.checks.filter(({ state }) => state !== 'good').map(({ name }) => name);
  return [...warnings, `its last rehearsal, ${newest.endedAt}, failed: ${wrong.join(', ')}`];
}
