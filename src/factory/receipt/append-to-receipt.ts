import { chown, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { writeFileDurably } from '../../mirror/store/write-file-durably.ts';
import { holdReceipt } from './hold-receipt.ts';
import { RECEIPT_FILE } from './receipt.ts';

/** A receipt as it stands in its file: a newer edgefab may have written more than this one knows. */
export type RawReceipt = Readonly<Record<string, unknown>> & {
  readonly iso: Readonly<Record<string, unknown>>;
};

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Loads the receipt beside an ISO when it is that ISO's. Undefined where there is none. Throws FILE_UNREADABLE. */
export async function loadReceiptBeside(
  iso: string,
): Promise<{ readonly path: string; readonly receipt: RawReceipt } | undefined> {
  const path = join(dirname(iso), RECEIPT_FILE);
  let receipt: unknown;
  try {
    receipt = JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    throw new EdgefabError(`cannot read the receipt ${path} beside the ISO`, {
      code: 'FILE_UNREADABLE',
      suggestions: ['Build the ISO again: edgefab iso SITE, or move the receipt away'],
      place: { file: path },
      cause,
    });
  }
  if (!isRecord(receipt)) return undefined;
  const { iso: its } = receipt;
  return isRecord(its) && its.file === basename(iso)
    ? { path, receipt: { ...receipt, iso: its } }
    : undefined;
}

/**
 * Changes one list of the receipt beside an ISO and keeps all else in it, also what a newer edgefab wrote; nobody else
 * writes the receipt meanwhile. `change` gets the entries that are there, and gives undefined to leave it alone. Returns
 * the receipt's path, or undefined where nothing was written. Throws FILE_UNREADABLE, SITE_BUSY, DISK_FULL.
 */
export async function appendToReceipt(
  iso: string,
  list: 'sticks' | 'rehearsals',
  change: (entries: readonly unknown[], receipt: RawReceipt) => readonly unknown[] | undefined,
  host: Pick<Host, 'sleep'>,
): Promise<string | undefined> {
  if ((await loadReceiptBeside(iso)) === undefined) return undefined;
  using _held = await holdReceipt(dirname(iso), host);
  const found = await loadReceiptBeside(iso);
  if (found === undefined) return undefined;
  const { path, receipt } = found;
  const held: unknown = receipt[list];
  const entries = change(Array.isArray(held) ? held : [], receipt);
  if (entries === undefined) return undefined;
  const { uid, gid } = await stat(path);
  await writeFileDurably(path, `${JSON.stringify({ ...receipt, [list]: entries }, null, 2)}\n`);
  // Devices are read and written by root, receipts by whoever runs the factory: it stays theirs.
  await chown(path, uid, gid).catch(() => undefined);
  return path;
}
