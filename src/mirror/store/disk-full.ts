import { EdgefabError, hasCode } from '../../errors.ts';

/** Turns ENOSPC and EDQUOT into DISK_FULL, naming the file; every other error comes back as it was. */
export function asDiskFull(error: unknown, path: string): unknown {
  if (!hasCode(error, 'ENOSPC') && !hasCode(error, 'EDQUOT')) return error;
  return new EdgefabError(`the disk is full: could not write ${path}`, {
    code: 'DISK_FULL',
    suggestions: ['Free space on that disk and run the same command again; what is complete is kept'],
    place: { file: path },
    cause: error,
  });
}
