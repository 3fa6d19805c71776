import { readFile, stat } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../../errors.ts';
import { type Lock, parseLock } from '../resolve/lock.ts';
import { type CacheFile, loadCacheFile } from './cache-file.ts';
import { storePaths } from './store-paths.ts';

/** What a cache says of itself, and the lock it is filled from. */
export interface Cache {
  readonly cache: CacheFile;
  readonly lock: Lock;
}

/** Reads a cache's own files. Throws CACHE_INCOMPLETE when the folder is none, PULL_INCOMPLETE without a lock. */
export async function loadCache(root: string): Promise<Cache> {
  const cache = await loadCacheFile(root);
  if (cache === undefined) {
    throw new EdgefabError(`${root} is not an edgefab cache: it has no edgefab-cache.json`, {
      code: 'CACHE_INCOMPLETE',
      suggestions: ['Name the folder that edgefab precache filled (where its disk is mounted)'],
      place: { file: root },
    });
  }
  const path = storePaths.lock(root);
  try {
    return { cache, lock: parseLock(await readFile(path, 'utf8'), path) };
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new EdgefabError(`the cache at ${root} was never completed: it has no edgefab.lock`, {
      code: 'PULL_INCOMPLETE',
      suggestions: ['Run edgefab precache again: it goes on where it stopped'],
      place: { file: path },
    });
  }
}

/** Reads the lock of a cache folder, or a lock file. Throws FILE_UNREADABLE, LOCK_INVALID and what `loadCache` throws. */
export async function loadLockOf(path: string): Promise<Lock> {
  try {
    if ((await stat(path)).isDirectory()) return (await loadCache(path)).lock;
    return parseLock(await readFile(path, 'utf8'), path);
  } catch (cause) {
    if (cause instanceof EdgefabError) throw cause;
    throw new EdgefabError(`cannot read ${path}: want a cache folder or an edgefab.lock`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      cause,
    });
  }
}
