import { join } from 'node:path';
import { inspectIso } from '../boot/iso/inspect-iso.ts';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { ImageRole } from '../mirror/resolve/lock.ts';
import { openFileHasher } from '../mirror/store/file-hasher.ts';
import { loadCache } from '../mirror/store/load-cache.ts';
import { holdsSiteFile } from '../mirror/store/site-files.ts';
import { storePaths } from '../mirror/store/store-paths.ts';
import { keptBuildTime } from './build-time.ts';
import type { CoverageReport } from './coverage.ts';
import { earlierReceipt } from './finished-receipt.ts';
import { loadFactory } from './load.ts';
import { identifySite } from './patch-site.ts';
import { RECEIPT_FILE, type Receipt } from './receipt/receipt.ts';
import { selectSites } from './select-sites.ts';
import { assertCovered } from './site-coverage.ts';

/**
 * Proves that a cache, wherever it is mounted, covers the install of one site of a factory. Throws CACHE_INCOMPLETE
 * naming what is not there and who asks for it, also for files the site's stick has no room for, and what patching the site throws.
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
  const { patch, buildId } = await identifySite(factory, site, options, host);
  const { ignition } = await patch();
  const report = await assertCovered(ignition, site, lock, root, allowMissing);
  const receipt = await earlierReceipt(join(factory.paths.out, site.name, RECEIPT_FILE));
  if (receipt?.buildId === buildId) await assertSpilled(receipt, root);
  return report;
}

/** The stick that was built last may need files that it has no room for. */
async function assertSpilled({ site, spilled = [] }: Receipt, root: string): Promise<void> {
  await using hasher = openFileHasher(1);
  for (const { path, sha256: hex, sizeBytes } of spilled) {
    if (await holdsSiteFile(root, { hex, sizeBytes }, hasher)) continue;
    throw new EdgefabError(
      `the cache at ${root} does not have ${path} of site ${site}: want files/sha256/${hex}, ${sizeBytes} bytes`,
      {
        code: 'CACHE_INCOMPLETE',
        suggestions: [
          "Copy files/ from the factory's own cache, or run edgefab iso --spill with this cache as the factory's",
        ],
        place: { file: storePaths.siteFile(root, hex) },
      },
    );
  }
}

async function featuresOf(liveIso: string): Promise<{ readonly liveInitrdNetwork: boolean }> {
  try {
    return (await inspectIso(liveIso)).features;
  } catch (error) {
    if (error instanceof EdgefabError && hasCode(error.cause, 'ENOENT')) return { liveInitrdNetwork: true };
    throw error;
  }
}
