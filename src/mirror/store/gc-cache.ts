import type { Dirent } from 'node:fs';
import { lstat, readdir, rm, rmdir } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';
import { digestHex } from '../../oci/digest.ts';
import { lockId } from '../resolve/lock.ts';
import { dirViewsOf } from './dir-view.ts';
import { loadCache } from './load-cache.ts';
import { loadRegistryStamp } from './registry-view/registry-stamp.ts';
import { dirViewName, storePaths } from './store-paths.ts';
import { wantedFiles } from './wanted-files.ts';
import { syncFolder } from './write-file-durably.ts';

/** A file or view that no image of the lock needs. `path` is relative to the root, `bytes` what it takes. */
export interface Stale {
  readonly kind: 'view' | 'blob' | 'partial' | 'temporary';
  readonly path: string;
  readonly bytes: number;
}

/**
 * Finds what a cache holds and its lock does not name: blobs and views of earlier locks, partials nothing will go on
 * from, temporary files of runs that died. Nobody else may be writing. Throws CACHE_INCOMPLETE when the lock is not
 * the one the cache was filled from, since then everything would look stale.
 */
export async function findStale(root: string): Promise<Stale[]> {
  const { cache, lock } = await loadCache(root);
  if (lockId(lock) !== cache.lock) {
    throw new EdgefabError(`${storePaths.lock(root)} is not the lock this cache was filled from`, {
      code: 'CACHE_INCOMPLETE',
      suggestions: ['Run edgefab precache until it ends with status 0, then this command again'],
      place: { file: storePaths.lock(root) },
    });
  }
  const wanted = new Map([...wantedFiles(lock.images)].map(([digest, file]) => [digestHex(digest), file]));
  const views = new Set(
    lock.images.flatMap(dirViewsOf).map(({ repository, digest }) => dirViewName(repository, digest)),
  );
  const blobs = new Set(await names(storePaths.blobs(root)));
  const found: { kind: Stale['kind']; path: string }[] = [];
  for (const path of await viewFolders(root)) {
    if (!views.has(relative(root, path))) found.push({ kind: 'view', path });
  }
  // It is written whole: of another lock, it may name blobs that go now.
  if ((await names(storePaths.views(root))).includes(basename(storePaths.registryView(root))))
    if ((await loadRegistryStamp(root)) !== cache.lock)
      found.push({ kind: 'view', path: storePaths.registryView(root) });
  for (const name of blobs) {
    if (wanted.has(name)) continue;
    const kind = /^[0-9a-f]{64}$/.test(name) ? 'blob' : 'temporary';
    found.push({ kind, path: join(storePaths.blobs(root), name) });
  }
  const ours = [storePaths.holder(root), storePaths.owner(root)].map((path) => basename(path));
  for (const name of await names(storePaths.temporary(root))) {
    if (ours.includes(name)) continue;
    const hex = /^([0-9a-f]{64})\.partial(?:\.sums)?$/.exec(name)?.[1];
    if (hex !== undefined && wanted.has(hex) && !blobs.has(hex)) continue;
    const kind = hex === undefined ? 'temporary' : 'partial';
    found.push({ kind, path: join(storePaths.temporary(root), name) });
  }
  // Which of them a stick needs is in its receipt, not here: only what a run that died left behind can go.
  for (const name of await names(storePaths.siteFiles(root))) {
    if (/\.\d+\.tmp$/.test(name))
      found.push({ kind: 'temporary', path: join(storePaths.siteFiles(root), name) });
  }
  for (const name of await names(root)) {
    if (/\.\d+\.tmp$/.test(name)) found.push({ kind: 'temporary', path: join(root, name) });
  }
  const sized = found.map(async ({ kind, path }) => {
    const { size, blocks } = await lstat(path);
    return { kind, path: relative(root, path), bytes: kind === 'view' ? blocks * 512 : size };
  });
  return (await Promise.all(sized)).sort((a, b) => (a.path < b.path ? -1 : 1));
}

/** Removes what `findStale` found: views before the blobs they point at, so that no view is ever left dangling. */
export async function removeStale(root: string, stale: readonly Stale[]): Promise<void> {
  const views = stale.filter(({ kind }) => kind === 'view');
  for (const { path } of views) {
    await rm(join(root, path), { recursive: true });
    await removeEmptyParents(dirname(join(root, path)), storePaths.dirViews(root));
  }
  for (const folder of [storePaths.views(root), storePaths.dirViews(root)])
    if (views.some(({ path }) => join(root, path).startsWith(`${folder}/`))) await syncFolder(folder);
  for (const { path } of stale.filter(({ kind }) => kind !== 'view')) {
    await rm(join(root, path), { recursive: true, force: true });
  }
  await syncFolder(storePaths.blobs(root));
}

async function names(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });
}

/** Lists the folders under views/dir that are views: the name of each ends in its digest. */
async function viewFolders(root: string): Promise<string[]> {
  const found: string[] = [];
  const walk = async (folder: string): Promise<void> => {
    const entries: Dirent[] = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
      if (hasCode(error, 'ENOENT')) return [];
      throw error;
    });
    for (const entry of entries) {
      if (!entry.isDirectory()) continue;
      const path = join(folder, entry.name);
      if (/@sha256-[0-9a-f]{64}$/.test(entry.name)) found.push(path);
      else await walk(path);
    }
  };
  await walk(storePaths.dirViews(root));
  return found;
}

async function removeEmptyParents(folder: string, top: string): Promise<void> {
  for (let path = folder; path !== top && path.startsWith(top); path = dirname(path)) {
    try {
      await rmdir(path);
    } catch (error) {
      if (hasCode(error, 'ENOTEMPTY') || hasCode(error, 'EEXIST')) return;
      throw error;
    }
  }
}
