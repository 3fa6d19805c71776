import { access, constants, open, statfs, symlink, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';

/** Layers of operator images are larger than what FAT holds in one file (4 GiB less one byte). */
const LARGE_FILE_BYTES = 4 * 1024 ** 3;

/** Names of file systems people format sticks with, by the magic number statfs gives (linux/magic.h). */
const FILE_SYSTEMS: ReadonlyMap<number, string> = new Map([
  [0x4d44, 'FAT'],
  [0x2011bab0, 'exFAT'],
  [0x5346544e, 'NTFS'],
  [0x65735546, 'FUSE'],
  [0x01021997, '9p'],
  [0x6969, 'NFS'],
]);

/** Tells whether a file of this size fits one file of the file system under a folder: FAT ends below 4 GiB. */
export async function holdsFileOf(folder: string, sizeBytes: number): Promise<boolean> {
  return sizeBytes < LARGE_FILE_BYTES || (await statfs(folder)).type !== 0x4d44;
}

/**
 * Refuses a file system that cannot hold a cache: views are symlinks, and blobs may be larger than 4 GiB, neither
 * of which FAT has; exFAT has no symlinks. Found by trying, not by a list of names. The folder must exist. Throws
 * FILESYSTEM_UNFIT.
 */
export async function assertHoldsCache(folder: string): Promise<void> {
  try {
    await access(folder, constants.W_OK);
  } catch (cause) {
    throw new EdgefabError(`cannot write into ${folder}`, {
      code: 'FILESYSTEM_UNFIT',
      suggestions: ['Check that the disk is mounted read-write and that you own the folder'],
      place: { file: folder },
      cause,
    });
  }
  await attempt(folder, 'it has no symbolic links', async (probe) => {
    await symlink('probe', probe);
  });
  await attempt(folder, 'it has no files of 4 GiB and more', async (probe) => {
    await using file = await open(probe, 'wx');
    // Makes a hole: no block is written.
    await file.truncate(LARGE_FILE_BYTES);
  });
}

async function attempt(folder: string, lack: string, work: (probe: string) => Promise<void>): Promise<void> {
  const probe = join(folder, `.edgefab-probe-${process.pid}`);
  try {
    await unlink(probe).catch(() => undefined);
    await work(probe);
  } catch (cause) {
    // A full disk is told about with its numbers, by whoever knows how much is needed.
    if (hasCode(cause, 'ENOSPC') || hasCode(cause, 'EDQUOT')) return;
    const { type } = await statfs(folder);
    const name = FILE_SYSTEMS.get(type);
    throw new EdgefabError(
      `the file system at ${folder}${name === undefined ? '' : ` (${name})`} cannot hold a cache: ${lack}`,
      {
        code: 'FILESYSTEM_UNFIT',
        suggestions: ['Format the disk with XFS or ext4; FAT and exFAT cannot hold a cache'],
        place: { file: folder },
        cause,
      },
    );
  } finally {
    await unlink(probe).catch(() => undefined);
  }
}
