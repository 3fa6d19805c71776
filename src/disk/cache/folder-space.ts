import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';

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
