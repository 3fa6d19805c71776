import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import { RECEIPT_FILE } from './receipt.ts';

/**
 * Finds the receipts a path means: itself, or, for a folder, the one in it, else those of the folders in it, sorted.
 * Throws FILE_UNREADABLE when there is none.
 */
export async function findReceipts(path: string): Promise<string[]> {
  const kind = await kindOf(path);
  if (kind === 'file') return [path];
  if (kind === 'folder') {
    const own = join(path, RECEIPT_FILE);
    if ((await kindOf(own)) === 'file') return [own];
    const found: string[] = [];
    for (const name of (await readdir(path)).sort()) {
      const file = join(path, name, RECEIPT_FILE);
      if ((await kindOf(file)) === 'file') found.push(file);
    }
    if (found.length > 0) return found;
  }
  throw new EdgefabError(`${path} is no receipt, nor a folder with one`, {
    code: 'FILE_UNREADABLE',
    suggestions: ['Name out/SITE/receipt.json, its folder, or the output folder of the factory'],
    place: { file: path },
  });
}

async function kindOf(path: string): Promise<'file' | 'folder' | undefined> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() === true) return 'file';
  return found?.isDirectory() === true ? 'folder' : undefined;
}
