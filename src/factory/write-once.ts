import { link, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { asDiskFull } from '../mirror/store/disk-full.ts';
import { syncFolder } from '../mirror/store/write-file-durably.ts';

/** What file systems without hard links (FAT) answer. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS'];

/**
 * Writes a whole file unless it is there already, also when several processes try at once: one of them wins, and
 * false tells the others to read what it wrote. Killed at any point it leaves no half file under the name. Throws
 * DISK_FULL.
 */
export async function writeOnce(
  path: string,
  text: string,
  mode: number,
  host: Pick<Host, 'randomBytes'>,
): Promise<boolean> {
  const temporary = `${path}.${Buffer.from(host.randomBytes(8)).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx', mode);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (!(await name(temporary, path))) return false;
  } catch (error) {
    throw asDiskFull(error, path);
  } finally {
    await rm(temporary, { force: true });
  }
  await syncFolder(dirname(path));
  return true;
}

async function name(temporary: string, path: string): Promise<boolean> {
  try {
    await link(temporary, path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    if (!NO_LINKS.some((code) => hasCode(error, code))) throw error;
    await rename(temporary, path);
    return true;
  }
}
