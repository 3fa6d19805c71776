import { lstat, stat } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../../errors.ts';

/**
 * Refuses a target that is there, the source itself, or a device. Throws USAGE_INVALID, TARGET_EXISTS.
 */
export async function refuseTarget(
  target: string,
  source: string | undefined,
  overwrite: boolean,
): Promise<void> {
  let found: Awaited<ReturnType<typeof lstat>>;
  try {
    found = await lstat(target);
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR')) return;
    throw error;
  }
  const place = { file: target };
  const to = await stat(target).catch(() => found);
  const from = source === undefined ? undefined : await stat(source);
  if (from?.dev === to.dev && from.ino === to.ino) {
    throw new EdgefabError(`${target} is the source ISO itself: want another file, the source is only read`, {
      code: 'USAGE_INVALID',
      place,
      suggestions: ['Choose another name, or change the ISO itself with --in-place'],
    });
  }
  if (!found.isFile()) {
    throw new EdgefabError(`${target} is there and is no regular file`, {
      code: 'TARGET_EXISTS',
      place,
      suggestions: ['Write an ISO file first, then put it on the stick with edgefab iso write'],
    });
  }
  if (!overwrite) {
    throw new EdgefabError(`${target} is already there`, {
      code: 'TARGET_EXISTS',
      place,
      suggestions: ['Choose another name, or replace it with --force'],
    });
  }
}
