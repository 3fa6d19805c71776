import type { DatabaseSync } from 'node:sqlite';
import { EdgefabError } from '../../errors.ts';

/** SQLITE_BUSY and SQLITE_LOCKED: somebody else has it (sqlite.org/rescode.html). */
const TAKEN = [5, 6];

/**
 * Takes a lock on a file, which is made when it is not there; undefined while another process has it. It is a POSIX
 * record lock, which the kernel drops when its owner dies, however it dies, and which holds between containers too.
 * Node has no call for one, but its SQLite takes one for an exclusive transaction. It does not hold between two
 * machines that share a file system without a lock manager. Throws FILESYSTEM_UNFIT where the file system has no locks.
 */
export async function holdFile(path: string): Promise<Disposable | undefined> {
  const { DatabaseSync } = await import('node:sqlite');
  let lock: DatabaseSync | undefined;
  try {
    lock = new DatabaseSync(path, { timeout: 0 });
    // No journal file beside it.
    lock.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    const held = lock;
    return { [Symbol.dispose]: () => held.close() };
  } catch (cause) {
    lock?.close();
    const { errcode } = cause as { errcode?: unknown };
    if (typeof errcode === 'number' && TAKEN.includes(errcode & 0xff)) return undefined;
    throw new EdgefabError(`cannot lock ${path}`, {
      code: 'FILESYSTEM_UNFIT',
      suggestions: ['Check that the disk is mounted read-write, and that its file system has file locks'],
      place: { file: path },
      cause,
    });
  }
}
