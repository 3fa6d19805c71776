import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { assertHoldsCache } from '../disk/cache/assert-holds-cache.ts';
import { assertSpace } from '../disk/cache/folder-space.ts';
import { sectorBytes } from '../disk/cache/sector-size.ts';
import type { Host } from '../host/host.ts';
import { type PullPlan, planPull, uniqueBlobs } from '../mirror/plan/plan.ts';
import { manifestsOf } from '../mirror/pull/image-count.ts';
import { pull } from '../mirror/pull/pull.ts';
import type { BlobSource, PullOptions } from '../mirror/pull/pull-parts.ts';
import { type PullResult, pullError } from '../mirror/pull/pull-result.ts';
import { type Lock, lockId } from '../mirror/resolve/lock.ts';
import { type CacheFile, loadCacheFile } from '../mirror/store/cache-file.ts';
import { type CarriedExecutable, carryExecutable } from '../mirror/store/carry-executable.ts';
import { holdCache } from '../mirror/store/hold-cache.ts';
import { partialBytes } from '../mirror/store/partial-bytes.ts';
import { isRegistryViewOf } from '../mirror/store/registry-view/registry-stamp.ts';
import { openStore, type Store } from '../mirror/store/store.ts';
import { storePaths } from '../mirror/store/store-paths.ts';
import { findExecutable } from './find-executable.ts';
import { EDGEFAB_VERSION } from './version.ts';
import { writeLock } from './write-lock.ts';

const WRITER = `edgefab/${EDGEFAB_VERSION}`;

export interface PrecacheOptions extends Omit<PullOptions, 'sleep' | 'now'> {
  /** Told once, before the first byte is fetched. */
  readonly onPlan?: (plan: PullPlan) => void;
  /** Writes manifests, views and index again even where nothing seems to be missing. */
  readonly redo?: boolean;
  /** Where a lock that was just resolved is kept; it may be in the cache, so nobody else may be writing. */
  readonly keepLockAt?: string;
  /** The id the cache is to have; its own unless given, a new one where it has none. */
  readonly cacheId?: string;
  /** Puts the single executable into the cache: the one named, or whichever is at hand. */
  readonly executable?: { readonly named?: string };
  /** Told when all that could be fetched is there, before a run that lacks something throws. */
  readonly onResult?: (result: PullResult, plan: PullPlan) => void;
}

export interface PrecacheOutcome {
  readonly plan: PullPlan;
  readonly result: PullResult;
  readonly cache: CacheFile;
  /** What became of the program in the cache, when one was to be put there. */
  readonly executable?: CarriedExecutable;
}

/**
 * Fills a cache with everything a lock names, while no other run writes to it. Space is checked before the first
 * byte; the cache says `incomplete` from the first byte to the last flush. A cache that is complete for this very
 * lock is left as it is, after a look at the sizes. Throws what the worst failure was when anything is missing.
 */
export async function precache(
  lock: Lock,
  folder: string,
  source: BlobSource,
  options: PrecacheOptions,
  host: Pick<Host, 'sleep' | 'now' | 'flushFileSystem'>,
): Promise<PrecacheOutcome> {
  await mkdir(folder, { recursive: true });
  await assertHoldsCache(folder);
  await using _held = await holdCache(folder, 'precache', host);
  if (options.keepLockAt !== undefined) await writeLock(options.keepLockAt, lock);
  return await precacheHeld(lock, folder, source, options, host);
}

/** Does what `precache` does, for a caller that holds the cache already. */
export async function precacheHeld(
  lock: Lock,
  folder: string,
  source: BlobSource,
  options: PrecacheOptions,
  host: Pick<Host, 'now' | 'sleep' | 'flushFileSystem'>,
): Promise<PrecacheOutcome> {
  // One that does not fit is refused before hours of fetching.
  const executable =
    options.executable === undefined
      ? undefined
      : { source: await findExecutable(options.executable.named, lock.arch) };
  const outcome = await fill(lock, folder, source, options, host);
  if (executable === undefined) return outcome;
  const carried = await carryExecutable(folder, executable.source);
  return { ...outcome, cache: (await loadCacheFile(folder)) ?? outcome.cache, executable: carried };
}

async function fill(
  lock: Lock,
  folder: string,
  source: BlobSource,
  options: PrecacheOptions,
  host: Pick<Host, 'now' | 'sleep' | 'flushFileSystem'>,
): Promise<PrecacheOutcome> {
  const store = await openStore(folder, {
    writer: WRITER,
    sectorBytes: await sectorBytes(folder),
    flush: (path) => host.flushFileSystem(path),
    ...(options.cacheId === undefined ? {} : { cacheId: options.cacheId }),
  });
  const held = await store.heldBlobs(uniqueBlobs(lock.images));
  const plan = planPull(lock.images, held);
  const kept = options.redo === true ? undefined : await completeCache(lock, store, plan, options.cacheId);
  if (kept !== undefined) {
    const result = nothingToDo(plan);
    options.onPlan?.(plan);
    options.onBytes?.(plan.heldBytes, 'held');
    options.onResult?.(result, plan);
    return { plan, result, cache: kept };
  }
  // What partials of an earlier run hold is written already, and is not free any more.
  await assertSpace(folder, plan.spaceBytes - (await partialBytes(folder, lock, held)));
  options.onPlan?.(plan);
  await store.begin(lock);
  const result = await pull(lock.images, source, store, { ...options, now: host.now, sleep: host.sleep });
  options.onResult?.(result, plan);
  if (result.failures.length > 0) throw pullError(result, lock.images.length);
  return { plan, result, cache: await store.complete(lock) };
}

/** The cache file of a cache that needs nothing; undefined when there is something to do. */
async function completeCache(
  lock: Lock,
  store: Store,
  plan: PullPlan,
  cacheId: string | undefined,
): Promise<CacheFile | undefined> {
  if (plan.fetchBytes > 0) return undefined;
  const cache = await loadCacheFile(store.root);
  if (cacheId !== undefined && cache?.cacheId !== cacheId) return undefined;
  if (cache?.state !== 'complete' || cache.lock !== lockId(lock)) return undefined;
  // Another version may write other views.
  if (cache.writer !== WRITER) return undefined;
  const manifests = [...new Set(lock.images.flatMap(manifestsOf))];
  const there = await Promise.all(manifests.map((digest) => store.readManifest(digest)));
  if (!(await isRegistryViewOf(store.root, cache.lock))) return undefined;
  const views = lock.images.map(({ source, digest }) => storePaths.dirView(store.root, source, digest));
  return there.includes(undefined) || !views.every((view) => existsSync(view)) ? undefined : cache;
}

function nothingToDo({ heldBytes, images }: PullPlan): PullResult {
  return { fetchedBytes: 0, heldBytes, fetchedBlobs: 0, completeImages: images, retries: 0, failures: [] };
}
