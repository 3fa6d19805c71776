import { mkdir } from 'node:fs/promises';
import { assertHoldsCache, assertSpace } from '../disk/folder-space.ts';
import { sectorBytes } from '../disk/sector-size.ts';
import type { Host } from '../host/host.ts';
import { type PullPlan, planPull, uniqueBlobs } from '../mirror/plan/plan.ts';
import { type PullResult, pull, pullError } from '../mirror/pull/pull.ts';
import type { BlobSource, PullOptions } from '../mirror/pull/pull-parts.ts';
import type { Lock } from '../mirror/resolve/lock.ts';
import type { CacheFile } from '../mirror/store/cache-file.ts';
import { openStore } from '../mirror/store/store.ts';
import { EDGEFAB_VERSION } from './version.ts';
import { writeImageLists } from './write-image-lists.ts';

export interface PrecacheOptions extends Omit<PullOptions, 'sleep'> {
  /** Told once, before the first byte is fetched. */
  readonly onPlan?: (plan: PullPlan) => void;
}

export interface PrecacheOutcome {
  readonly plan: PullPlan;
  readonly result: PullResult;
  readonly cache: CacheFile;
}

/**
 * Fills a cache with everything a lock names. Space is checked before the first byte; the cache says `incomplete`
 * from the first byte to the last flush. Throws what the worst failure was when anything is missing.
 */
export async function precache(
  lock: Lock,
  folder: string,
  source: BlobSource,
  options: PrecacheOptions,
  host: Pick<Host, 'sleep'>,
): Promise<PrecacheOutcome> {
  await mkdir(folder, { recursive: true });
  await assertHoldsCache(folder);
  const writer = `edgefab/${EDGEFAB_VERSION}`;
  const store = await openStore(folder, { writer, sectorBytes: await sectorBytes(folder) });
  const held = await store.heldBlobs(uniqueBlobs(lock.images));
  const plan = planPull(lock.images, held);
  await assertSpace(folder, plan.spaceBytes);
  options.onPlan?.(plan);
  await store.begin(lock);
  const result = await pull(lock.images, source, store, { ...options, sleep: host.sleep });
  if (result.failures.length > 0) throw pullError(result, lock.images.length);
  await writeImageLists(folder, lock);
  return { plan, result, cache: await store.complete(lock) };
}
