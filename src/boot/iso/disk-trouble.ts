import { statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';

/**
 * Explains why a file of that size could not be written: DISK_FULL with the numbers, FILESYSTEM_UNFIT where the file
 * system takes no file that large, DISK_FAILED; anything else comes back as it was.
 */
export async function explainDiskTrouble(
  error: unknown,
  target: string,
  sizeBytes: number,
): Promise<unknown> {
  const folder = dirname(target);
  const place = { file: target };
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')) {
    const { bavail, bsize } = await statfs(folder);
    return new EdgefabError(
      `disk is full: ${target} needs ${sizeBytes} bytes, ${bavail * bsize} are free in ${folder}`,
      {
        code: 'DISK_FULL',
        place,
        suggestions: ['Free space there or choose another folder, then run again'],
        cause: error,
      },
    );
  }
  if (hasCode(error, 'EFBIG')) {
    return new EdgefabError(
      `file system of ${folder} holds no file of ${sizeBytes} bytes, as ${target} needs`,
      {
        code: 'FILESYSTEM_UNFIT',
        place,
        suggestions: ['Use a file system without the 4 GiB limit of FAT'],
        cause: error,
      },
    );
  }
  if (hasCode(error, 'EIO') || hasCode(error, 'EROFS')) {
    return new EdgefabError(`the disk under ${folder} cannot be written`, {
      code: 'DISK_FAILED',
      place,
      suggestions: ['Check the disk and how it is mounted, or choose another folder, then run again'],
      cause: error,
    });
  }
  return error;
}
