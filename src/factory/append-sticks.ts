import { chown, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdgefabError, hasCode } from '../errors.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';

/** A stick that was written and read back, as receipts keep it. */
export interface StickEntry {
  readonly serial: string | null;
  readonly model: string | null;
  readonly byId: string | null;
  readonly sizeBytes: number;
  readonly isoSha256: string;
  readonly writtenAt: string;
  readonly readBack: 'equal';
}

type Document = Record<string, unknown>;

function isDocument(value: unknown): value is Document {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Loads the receipt beside an ISO when it is that ISO's. Undefined where there is none. Throws FILE_UNREADABLE. */
async function loadReceipt(iso: string): Promise<{ path: string; receipt: Document } | undefined> {
  const path = join(dirname(iso), 'receipt.json');
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
  if (!isDocument(receipt) || !isDocument(receipt.iso) || receipt.iso.file !== basename(iso))
    return undefined;
  return { path, receipt };
}

/** Refuses an ISO that is not the one its receipt tells of. Throws ISO_INVALID, FILE_UNREADABLE. */
export async function assertReceipt(iso: string, sha256: string): Promise<void> {
  const found = await loadReceipt(iso);
  const told = isDocument(found?.receipt.iso) ? found.receipt.iso.sha256 : undefined;
  if (found === undefined || told === sha256) return;
  throw new EdgefabError(`${iso} has SHA-256 ${sha256}, its receipt ${found.path} says ${String(told)}`, {
    code: 'ISO_INVALID',
    suggestions: ['Build it again: edgefab iso SITE'],
    place: { file: iso },
  });
}

/**
 * Adds sticks to `sticks` of the receipt beside an ISO, keeping all else in it, also what a newer edgefab wrote. Returns
 * its path, or undefined where the ISO has none. Throws FILE_UNREADABLE, DISK_FULL.
 */
export async function appendSticks(iso: string, sticks: readonly StickEntry[]): Promise<string | undefined> {
  const found = await loadReceipt(iso);
  if (found === undefined) return undefined;
  const held: readonly unknown[] = Array.isArray(found.receipt.sticks) ? found.receipt.sticks : [];
  const receipt = { ...found.receipt, sticks: [...held, ...sticks] };
  const { uid, gid } = await stat(found.path);
  await writeFileDurably(found.path, `${JSON.stringify(receipt, null, 2)}\n`);
  // Sticks are written by root, receipts by whoever runs the factory: it stays theirs.
  await chown(found.path, uid, gid).catch(() => undefined);
  return found.path;
}
