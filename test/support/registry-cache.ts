import { mkdirSync, readdirSync, renameSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { makeDistributionImage, type ToolImage } from './distribution-image.ts';
import { startDockerRegistry } from './docker-registry.ts';
import { type MadeImage, makeImage, pushImages } from './made-image.ts';

export interface RegistryCache {
  readonly tool: ToolImage;
  readonly release: MadeImage;
  /** HOST/PATH of the release image. */
  readonly repository: string;
}

/** The id in the cache's id file. */
export const CACHE_ID = '0123456789abcdef0123456789abcdef';

export function writeCacheFile(folder: string, cacheId = CACHE_ID): void {
  const file = { cacheId, lock: 'none', state: 'complete', sectorSize: 512, writer: 'edgefab/test' };
  writeFileSync(join(folder, 'edgefab-cache.json'), `${JSON.stringify(file, null, 2)}\n`);
}

/**
 * Fills a folder as a cache with the registry's own image and one release image. The registry view is written
 * by a real registry; its blobs are then moved to `blobs/sha256` and relative links left in their places.
 */
export async function makeRegistryCache(folder: string): Promise<RegistryCache> {
  mkdirSync(folder, { recursive: true });
  const tool = await makeDistributionImage(folder);
  const view = join(folder, 'views/registry');
  const repository = 'quay.io/made-up/release';
  const release = await makeImage({ seed: 'release', layers: [{ seed: 'release', sizeBytes: 3_000_000 }] });
  const registry = await startDockerRegistry({ storageDir: view });
  try {
    await pushImages(registry, [{ image: release, repository }]);
  } finally {
    await registry.close();
  }
  const blobs = join(folder, 'blobs/sha256');
  mkdirSync(blobs, { recursive: true });
  const held = join(view, 'docker/registry/v2/blobs/sha256');
  for (const prefix of readdirSync(held))
    for (const hex of readdirSync(join(held, prefix))) {
      const data = join(held, prefix, hex, 'data');
      renameSync(data, join(blobs, hex));
      symlinkSync(relative(dirname(data), join(blobs, hex)), data);
    }
  writeCacheFile(folder);
  return { tool, release, repository };
}
