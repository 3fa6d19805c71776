import { inspectIso } from '../boot/iso/inspect-iso.ts';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { ImageRole } from '../mirror/resolve/lock.ts';
import { loadCache } from '../mirror/store/load-cache.ts';
import { keptBuildTime } from './build-time.ts';
import type { CoverageReport } from './coverage.ts';
import { loadFactory } from './load.ts';
import { identifySite } from './patch-site.ts';
import { selectSites } from './select-sites.ts';
import { assertCovered } from './site-coverage.ts';

/**
 * Proves that a cache, wherever it is mounted, covers the install of one site of a factory. Throws CACHE_INCOMPLETE
 * naming what is not there and who asks for it, and what patching the site throws.
 */
export async function proveSite(
  factoryFile: string,
  name: string,
  root: string,
  allowMissing: readonly ImageRole[],
  host: Pick<Host, 'run' | 'env' | 'now' | 'randomBytes' | 'homeDir'>,
): Promise<CoverageReport> {
  const factory = await loadFactory(factoryFile, host);
  const [site] = selectSites(factory, [name]);
  if (site === undefined) throw new RangeError(`${name} selects no site`);
  const { cache, lock } = await loadCache(root);
  const liveIso = factory.media?.liveIso;
  // Without the ISO the answer is the same but for how the network gets there.
  const features = liveIso === undefined ? { liveInitrdNetwork: true } : await featuresOf(liveIso);
  const buildTime = await keptBuildTime(factory.paths.out, false, host);
  const options = { lock, cacheId: cache.cacheId, features, buildTime };
  const { patch } = await identifySite(factory, site, options, host);
  const { ignition } = await patch();
  return await assertCovered(ignition, site, lock, root, allowMissing);
}

async function featuresOf(liveIso: string): Promise<{ readonly liveInitrdNetwork: boolean }> {
  try {
    return (await inspectIso(liveIso)).features;
  } catch (error) {
    if (error instanceof EdgefabError && hasCode(error.cause, 'ENOENT')) return { liveInitrdNetwork: true };
    throw error;
  }
}
