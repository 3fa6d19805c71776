import type { Host } from '../host/host.ts';
import type { BlobSource } from '../mirror/pull/pull-parts.ts';
import { discardDamage } from '../mirror/store/discard-damage.ts';
import { holdCache } from '../mirror/store/hold-cache.ts';
import { loadCache } from '../mirror/store/load-cache.ts';
import type { CacheFault } from '../mirror/store/verify-cache.ts';
import { type PrecacheOptions, type PrecacheOutcome, precacheHeld } from './precache.ts';

/**
 * Fetches again what `verifyCache` found missing or wrong, and nothing else, from where the cache's own lock says.
 * Throws what precaching throws, and LOCK_STALE when the lock itself is wrong.
 */
export async function repairCache(
  folder: string,
  faults: readonly CacheFault[],
  source: BlobSource,
  options: PrecacheOptions,
  host: Pick<Host, 'sleep' | 'now' | 'flushFileSystem'>,
): Promise<PrecacheOutcome> {
  await using _held = await holdCache(folder, 'cache verify --repair', host);
  await discardDamage(folder, faults);
  const { lock } = await loadCache(folder);
  return await precacheHeld(lock, folder, source, { ...options, redo: true }, host);
}
