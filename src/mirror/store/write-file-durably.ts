import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { asDiskFull } from './disk-full.ts';

/** The flush of a folder that has not begun yet, by its path, and the one before it. */
const flushes = new Map<string, { readonly next: Promise<void>; begun: boolean }>();

/**
 * Flushes a folder's entries, so that a rename in it survives a power cut. Calls that come while one flush runs
 * share the next: a hundred small files then cost a few flushes.
 */
export async function syncFolder(path: string): Promise<void> {
  const last = flushes.get(path);
  if (last?.begun === false) return await last.next;
  const before = last?.next.catch(() => undefined) ?? Promise.resolve();
  const flush = {
    begun: false,
    next: before.then(async () => {
      flush.begun = true;
      try {
        await flushFolder(path);
      } finally {
        if (flushes.get(path) === flush) flushes.delete(path);
      }
    }),
  };
  flushes.set(path, flush);
  await flush.next;
}

async function flushFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** Writes a whole file under a temporary name, flushes it, and gives it its name last. Throws DISK_FULL. */
export async function writeFileDurably(
  path: string,
  bytes: string | Uint8Array,
  mode = 0o644,
): Promise<void> {
  const temporary = `${path}.${process.pid}.tmp`;
  try {
    const file = await open(temporary, 'w', mode);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw asDiskFull(error, path);
  }
  await syncFolder(dirname(path));
}
