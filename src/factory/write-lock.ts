import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { formatLock, type Lock } from '../mirror/resolve/lock.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';

/** Writes edgefab.lock, flushed, under its name last. */
export async function writeLock(path: string, lock: Lock): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFileDurably(path, formatLock(lock));
}
