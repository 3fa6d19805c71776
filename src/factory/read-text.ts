import { open } from 'node:fs/promises';
import { EdgefabError, type Place } from '../errors.ts';

const MAX_BYTES = 4 * 1024 * 1024;

/**
 * Reads a small UTF-8 text file whole. Throws FILE_UNREADABLE when it cannot be read, is no regular file, is
 * longer than 4 MiB or is not UTF-8; `place` is where the file was named, when another file did.
 */
export async function readText(path: string, place: Place = { file: path }): Promise<string> {
  const unreadable = (why: string, cause?: unknown): EdgefabError =>
    new EdgefabError(`cannot read ${path}: ${why}`, { code: 'FILE_UNREADABLE', place, cause });
  let bytes: Buffer;
  try {
    await using handle = await open(path);
    const stat = await handle.stat();
    if (!stat.isFile()) throw unreadable('it is not a file');
    if (stat.size > MAX_BYTES) throw unreadable(`it is ${stat.size} bytes long, want at most ${MAX_BYTES}`);
    bytes = await handle.readFile();
  } catch (error) {
    if (error instanceof EdgefabError) throw error;
    throw unreadable(error instanceof Error ? error.message : String(error), error);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw unreadable('it is not UTF-8 text', cause);
  }
}
