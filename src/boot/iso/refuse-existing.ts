import { lstat, stat } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../../errors.ts';

/**
 * Makes sure that a name is free, or with `overwrite` a regular file other than `source`. Throws TARGET_EXISTS,
 * USAGE_INVALID when it is the source itself.
 */
export async function refuseExisting(source: string, target: string, overwrite: boolean): Promise<void> {
  let found: Awaited<ReturnType<typeof lstat>>;
  try {
    found = await lstat(target);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return;
    throw error;
  }
  const [from, to] = await Promise.all([stat(source), stat(target).catch(() => found)]);
  if (from.dev === to.dev && from.ino === to.ino) {
    throw new EdgefabError(`${target} is the ISO that is read: want another file`, {
      code: 'USAGE_INVALID',
      place: { file: target },
      suggestions: ['Name another file'],
    });
  }
  if (overwrite && found.isFile()) return;
  throw new EdgefabError(`${target} is already there${found.isFile() ? '' : ', and no regular file'}`, {
    code: 'TARGET_EXISTS',
    place: { file: target },
    suggestions: [found.isFile() ? 'Name another file, or replace it with --force' : 'Name another file'],
  });
}
