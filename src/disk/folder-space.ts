import { access, constants, statfs, symlink, unlink } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { EdgefabError, hasCode } from '../errors.ts';

/** Free space of the file system under a folder. */
export interface FolderSpace {
  /** The nearest folder that exists: the folder itself, or what it will be made in. */
  readonly existing: string;
  readonly freeBytes: number;
  readonly blockBytes: number;
}

/** Measures the space an ordinary user may still fill. The folder itself need not exist yet. */
export async function folderSpace(folder: string): Promise<FolderSpace> {
  let existing = resolve(folder);
  for (;;) {
    try {
      const stats = await statfs(existing);
      return { existing, freeBytes: stats.bavail * stats.bsize, blockBytes: stats.bsize };
    } catch (error) {
      if (!hasCode(error, 'ENOENT') || dirname(existing) === existing) throw error;
      existing = dirname(existing);
    }
  }
}

/** Refuses a folder without room, before the first byte is written. Throws SPACE_SHORT with the numbers. */
export async function assertSpace(folder: string, neededBytes: number): Promise<FolderSpace> {
  const space = await folderSpace(folder);
  if (space.freeBytes < neededBytes) {
    throw new EdgefabError(
      `not enough space at ${folder}: ${neededBytes} bytes are needed, ${space.freeBytes} are free, ${neededBytes - space.freeBytes} short`,
      {
        code: 'SPACE_SHORT',
        suggestions: ['Use a larger disk, or free space on this one, and run the same command again'],
        place: { file: folder },
      },
    );
  }
  return space;
}

/**
 * Refuses a file system that cannot hold a cache: views are symlinks, which vfat and exfat do not have. Found
 * by making one, not by a list of names. The folder must exist. Throws FILESYSTEM_UNFIT.
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
  const probe = join(folder, `.edgefab-probe-${process.pid}`);
  try {
    await symlink('probe', probe);
    await unlink(probe);
  } catch (cause) {
    throw new EdgefabError(`the file system at ${folder} cannot hold a cache: it has no symbolic links`, {
      code: 'FILESYSTEM_UNFIT',
      suggestions: ['Format the disk with XFS or ext4; FAT and exFAT cannot hold a cache'],
      place: { file: folder },
      cause,
    });
  }
}
