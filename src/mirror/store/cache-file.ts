import { readFile } from 'node:fs/promises';
import { z } from 'zod/v4';
import { EdgefabError, hasCode } from '../../errors.ts';
import { parseCheckedYaml } from '../../formats/checked-yaml.ts';
import { digestSchema } from '../resolve/lock.ts';
import { storePaths } from './store-paths.ts';
import { writeFileDurably } from './write-file-durably.ts';

export const cacheFileSchema = z.strictObject({
  cacheId: z.string().regex(/^[0-9a-f]{32}$/),
  lock: z.string(),
  state: z.enum(['incomplete', 'complete']),
  sectorSize: z.number().int().positive(),
  writer: z.string(),
  executable: z
    .strictObject({
      sha256: digestSchema,
      sizeBytes: z.number().int().nonnegative(),
    })
    .optional(),
});

/**
 * What makes a folder an edgefab cache: its id, the sha256 of its lock, and whether every byte of that lock is
 * there (`edgefab-cache.json`). `sectorSize` is the disk's logical sector size in bytes; `executable` is the
 * program in the cache root, when there is one.
 */
export type CacheFile = Readonly<z.infer<typeof cacheFileSchema>>;

/** Reads `edgefab-cache.json`; undefined when the folder is not a cache yet. Throws LOCK_INVALID. */
export async function loadCacheFile(root: string): Promise<CacheFile | undefined> {
  const path = storePaths.cacheFile(root);
  try {
    return parseCheckedYaml(await readFile(path, 'utf8'), {
      file: path,
      code: 'LOCK_INVALID',
      schema: cacheFileSchema,
    }).value;
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Writes `edgefab-cache.json`. */
export async function writeCacheFile(root: string, value: CacheFile): Promise<void> {
  await writeFileDurably(storePaths.cacheFile(root), `${JSON.stringify(value, null, 2)}\n`);
}

/** Throws unless the folder is a complete cache of the given lock. CACHE_INCOMPLETE, status 4. */
export async function assertCompleteCache(root: string, lock: string): Promise<CacheFile> {
  const found = await loadCacheFile(root);
  const refuse = (what: string): EdgefabError =>
    new EdgefabError(`the cache at ${root} ${what}`, {
      code: 'CACHE_INCOMPLETE',
      suggestions: ['Run edgefab precache until it ends with status 0, then this command again'],
      place: { file: storePaths.cacheFile(root) },
    });
  if (found === undefined) throw refuse('is not an edgefab cache: it has no edgefab-cache.json');
  if (found.lock !== lock)
    throw refuse(`holds another lock: it has ${found.lock}, the factory wants ${lock}`);
  if (found.state !== 'complete') throw refuse('is incomplete');
  return found;
}
