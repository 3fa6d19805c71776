import { createPublicKey } from 'node:crypto';
import { dirname, join } from 'node:path';
import { outlivesShelf } from '../boot/certs/shelf-life.ts';
import { EdgefabError, hasCode } from '../errors.ts';
import { canonicalJson, type Json } from '../formats/canonical-json.ts';
import type { ImageRole } from '../mirror/resolve/lock.ts';
import { holdsSiteFile } from '../mirror/store/site-files.ts';
import { fileSize } from './file-size.ts';
import type { Build } from './open-build.ts';
import { loadReceipt } from './receipt/load-receipt.ts';
import type { Receipt } from './receipt/receipt.ts';
import { isSignedBy } from './receipt/sign-receipt.ts';

/** What a site would be built from now. */
export interface WantedBuild extends Pick<Receipt, 'buildId' | 'cacheId' | 'inputs'> {
  readonly allowShortLife: boolean;
  /** Roles whose images may be missing; an earlier run may have allowed more. */
  readonly allowMissing: readonly ImageRole[];
  readonly shelf: { readonly now: Date; readonly shelfLifeMs: number | undefined };
}

/**
 * Finds the receipt of a site that an earlier run finished from these very inputs, and whose ISO still has the bytes
 * the receipt says; undefined when there is anything to be done. A signature that is wanted now must be there, and so
 * must the files in the cache that the machine will fetch.
 */
export async function finishedReceipt(
  path: string,
  wanted: WantedBuild,
  { factory, lock, hasher, signingKey }: Pick<Build, 'factory' | 'lock' | 'hasher' | 'signingKey'>,
): Promise<Receipt | undefined> {
  const receipt = await earlierReceipt(path);
  if (receipt === undefined) return undefined;
  const { buildId, cacheId, inputs, certificates, coverage, iso, spilled = [] } = receipt;
  if (buildId !== wanted.buildId || cacheId !== wanted.cacheId) return undefined;
  if (canonicalJson(inputs as Json) !== canonicalJson(wanted.inputs as Json)) return undefined;
  if ((receipt.signature === undefined) !== (signingKey === undefined)) return undefined;
  if (signingKey !== undefined && !isSignedBy(receipt, createPublicKey(signingKey))) return undefined;
  const endsAt = certificates === null ? undefined : new Date(certificates.notAfter);
  if (endsAt !== undefined && !wanted.allowShortLife && !outlivesShelf(endsAt, wanted.shelf))
    return undefined;
  // What a filter dropped is missing by the lock itself, whatever is allowed.
  const dropped = new Set(lock.ignored?.map(({ reference }) => reference));
  const allowed: readonly string[] = wanted.allowMissing;
  if (coverage.allowed.some(({ role, reference }) => !allowed.includes(role) && !dropped.has(reference)))
    return undefined;
  for (const { sha256: hex, sizeBytes } of spilled)
    if (!(await holdsSiteFile(factory.paths.cache, { hex, sizeBytes }, hasher))) return undefined;
  const file = join(dirname(path), iso.file);
  if ((await fileSize(file).catch(() => undefined)) !== iso.sizeBytes) return undefined;
  return (await hasher.hash(file, () => undefined)) === `sha256:${iso.sha256}` ? receipt : undefined;
}

/** Reads the receipt an earlier run left; undefined where there is none that can be read. Throws FILE_UNREADABLE. */
export async function earlierReceipt(path: string): Promise<Receipt | undefined> {
  try {
    return await loadReceipt(path);
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    // One that is damaged, or of another version of edgefab, is replaced by building again.
    if (error.code === 'RECEIPT_INVALID' || hasCode(error.cause, 'ENOENT')) return undefined;
    throw error;
  }
}
