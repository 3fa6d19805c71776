import { stat } from 'node:fs/promises';
import { EdgefabError } from '../errors.ts';

/** The size of a file in bytes. Throws FILE_UNREADABLE when it is not there or no file. */
export async function fileSize(path: string): Promise<number> {
  const unreadable = (why: string, cause?: unknown): EdgefabError =>
    new EdgefabError(`cannot read ${path}: ${why}`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      cause,
    });
  const found = await stat(path).catch((error: unknown) => {
    throw unreadable(error instanceof Error ? error.message : String(error), error);
  });
  if (!found.isFile()) throw unreadable('it is not a file');
  return found.size;
}
