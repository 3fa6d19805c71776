import type { Host } from '../host/host.ts';
import { findStale, removeStale, type Stale } from '../mirror/store/gc-cache.ts';
import { holdCache } from '../mirror/store/hold-cache.ts';
import { loadCache } from '../mirror/store/load-cache.ts';

/** Finds what a cache holds and its lock does not name and, when asked to, removes it while nobody else writes. */
export async function gcCache(
  folder: string,
  remove: boolean,
  host: Pick<Host, 'now'>,
): Promise<readonly Stale[]> {
  await loadCache(folder);
  await using _held = await holdCache(folder, 'cache gc', host);
  const stale = await findStale(folder);
  if (remove) await removeStale(folder, stale);
  return stale;
}
