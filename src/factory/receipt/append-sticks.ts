import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { appendToReceipt, loadReceiptBeside } from './append-to-receipt.ts';
import type { Receipt } from './receipt.ts';

/** A stick that was written and read back, as receipts keep it. */
export type StickEntry = NonNullable<Receipt['sticks']>[number];

/** Refuses an ISO that is not the one its receipt tells of. Throws ISO_INVALID, FILE_UNREADABLE. */
export async function assertReceipt(iso: string, sha256: string): Promise<void> {
  const found = await loadReceiptBeside(iso);
  if (found === undefined || found.receipt.iso.sha256 === sha256) return;
  throw new EdgefabError(
    `${iso} has SHA-256 ${sha256}, its receipt ${found.path} says ${String(found.receipt.iso.sha256)}`,
    {
      code: 'ISO_INVALID',
      suggestions: ['Build it again: edgefab iso SITE'],
      place: { file: iso },
    },
  );
}

/**
 * Adds sticks to `sticks` of the receipt beside an ISO. Returns its path, or undefined where the ISO has none. Throws
 * what `appendToReceipt` throws.
 */
export async function appendSticks(
  iso: string,
  sticks: readonly StickEntry[],
  host: Pick<Host, 'sleep'>,
): Promise<string | undefined> {
  return await appendToReceipt(iso, 'sticks', (held) => [...held, ...sticks], host);
}
