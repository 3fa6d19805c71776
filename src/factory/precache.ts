import { mkdir } from 'node:fs/promises';
import { assertHoldsCache } from '../disk/assert-holds-cache.ts';
import { assertSpace } from '../disk/folder-space.ts';
import { sectorBytes } from '../disk/sector-size.ts';
import type { Host } from '../host/host.ts';
import { type PullPlan, planPull, uniqueBlobs } from '../mirror/plan/plan.ts';
import { type PullResult, pull, pullError } from '../mirror/pull/pull.ts';
import type { BlobSource, PullOptions } from '../mirror/pull/pull-parts.ts';
import type { Lock } from '../mirror/resolve/lock.ts';
import type { CacheFile } from '../mirror/store/cache-file.ts';
import { holdCache } from '../mirror/store/hold-cache.ts';
import { partialBytes } from '../mirror/store/partial-bytes.ts';
import { openStore } from '../mirror/store/store.ts';
import { EDGEFAB_VERSION } from './version.ts';
import { writeLock } from './write-lock.ts';

export interface PrecacheOptions extends Omit<PullOptions, 'sleep'> {
  /** Told once, before the first byte is fetched. */
  readonly onPlan?: (plan: PullPlan) => void;
  /** Where a lock that was just resolved is kept; it may be in the cache, so nobody else may be writing. */
  readonly keepLockAt?: string;
}

export interface PrecacheOutcome {
  readonly plan: PullPlan;
  readonly result: PullResult;
  readonly cache: CacheFile;
}

/**
 * Fills a cache with everything a lock names, while no other run writes to it. Space is checked before the first byte; the cache says `incomplete`
 * from the first byte to the last flush. Throws what the worst failure was when anything is missing.
 */
export async function precache(
  lock: Lock,
  folder: string,
  source: BlobSource,
  options: PrecacheOptions,
  host: Pick<Host, 'sleep' | 'now'>,
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
  host: Pick<Host, 'sleep'>,
): Promise<PrecacheOutcome> {
  const writer = `edgefab/${EDGEFAB_VERSION}`;
  const store = await openStore(folder, { writer, sectorBytes: await sectorBytes(folder) });
  const held = await store.heldBlobs(uniqueBlobs(lock.images));
  const plan = planPull(lock.images, held);
  // What partials of an earlier run hold is written already, and is not free any more.
  await assertSpace(folder, plan.spaceBytes - (await partialBytes(folder, lock, held)));
  options.onPlan?.(plan);
  await store.begin(lock);
  const result = await pull(lock.images, source, store, { ...options, sleep: host.sleep });
  if (result.failures.length > 0) throw pullError(result, lock.images.length);
  return { plan, result, cache: await store.complete(lock) };
}
