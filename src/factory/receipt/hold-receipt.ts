import { chown, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { holdFile } from '../../mirror/store/hold-file.ts';
import { RECEIPT_FILE } from './receipt.ts';

/** Beside the receipt, which is replaced by each that writes it and can hold no lock itself. */
const LOCK_FILE = '.receipt.lock';
/** A receipt is held for milliseconds: to be read, added to and written. */
const PATIENCE_MS = 30_000;
const STEP_MS = 50;

/**
 * Holds the receipt of a folder until disposed of, so that no two processes write it at once; waits for another that
 * does. Throws SITE_BUSY when that one does not end, FILESYSTEM_UNFIT.
 */
export async function holdReceipt(folder: string, { sleep }: Pick<Host, 'sleep'>): Promise<Disposable> {
  const lock = join(folder, LOCK_FILE);
  for (let waitedMs = 0; waitedMs <= PATIENCE_MS; waitedMs += STEP_MS) {
    const held = await holdFile(lock);
    if (held !== undefined) {
      // Root writes sticks: whoever runs the factory must be able to take the lock afterwards.
      const [own, its] = await Promise.all([stat(lock), stat(folder)]);
      if (own.uid !== its.uid) await chown(lock, its.uid, its.gid).catch(() => undefined);
      return held;
    }
    await sleep(STEP_MS);
  }
  const path = join(folder, RECEIPT_FILE);
  throw new EdgefabError(`the receipt ${path} is held by another edgefab`, {
    code: 'SITE_BUSY',
    suggestions: ['Wait for it to end, then run the command again'],
    place: { file: path },
  });
}
