import { writeFile } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../errors.ts';

/** Writes a text file that is not there yet. Never replaces one: throws TARGET_EXISTS; FILE_UNREADABLE without its folder. */
export async function writeNewFile(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx' });
  } catch (cause) {
    if (hasCode(cause, 'EEXIST')) {
      throw new EdgefabError(`${path} is there already`, {
        code: 'TARGET_EXISTS',
        suggestions: ['Name another file, or remove this one'],
        place: { file: path },
        cause,
      });
    }
    throw new EdgefabError(
      `cannot write ${path}: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        code: 'FILE_UNREADABLE',
        place: { file: path },
        cause,
      },
    );
  }
}
