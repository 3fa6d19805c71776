import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { formatImageLists, LIST_FILES } from '../mirror/resolve/lists/image-lists.ts';
import type { Lock } from '../mirror/resolve/lock.ts';
import { writeFileDurably } from '../mirror/store/write-file-durably.ts';

/**
 * Writes the old list files into `lists/` of a cache, each whole or not at all: a list that ends in the middle
 * looks like a short one. Throws DISK_FULL.
 */
export async function writeImageLists(root: string, lock: Lock): Promise<void> {
  const folder = join(root, 'lists');
  await mkdir(folder, { recursive: true });
  const texts = formatImageLists(lock);
  for (const file of LIST_FILES) await writeFileDurably(join(folder, file), texts[file]);
}
