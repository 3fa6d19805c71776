import { rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import { storePaths } from './store-paths.ts';
import type { CacheFault } from './verify-cache.ts';

/**
 * Removes what `verifyCache` found to be wrong, so that the next pull fetches just that and writes those views
 * again. Nobody else may be writing. Throws LOCK_STALE when the lock itself is not the cache's: then nothing says
 * what is right.
 */
export async function discardDamage(root: string, faults: readonly CacheFault[]): Promise<void> {
  const lock = faults.find((fault) => fault.kind === 'state' && fault.path === 'edgefab.lock');
  if (lock !== undefined) {
    throw new EdgefabError(
      `${storePaths.lock(root)} is not the lock this cache was filled from: it has ${lock.got}, want ${lock.want}`,
      {
        code: 'LOCK_STALE',
        suggestions: ['Put the right edgefab.lock there, or run edgefab precache again'],
        place: { file: storePaths.lock(root) },
      },
    );
  }
  for (const { kind, path } of faults) {
    switch (kind) {
      case 'size':
      case 'digest':
      case 'missing':
        await rm(join(root, path), { recursive: true, force: true });
        break;
      case 'view':
        await rm(viewOf(root, path), { recursive: true, force: true });
        break;
      // Written anew in any case, or harmless.
      case 'index':
      case 'state':
      case 'stray':
        break;
      default:
        kind satisfies never;
    }
  }
}

/** The registry view is written whole, a `dir:` view is the folder of the entry that is wrong. */
function viewOf(root: string, path: string): string {
  const registry = storePaths.registryView(root);
  const full = join(root, path);
  return full.startsWith(`${registry}/`) ? registry : dirname(full);
}
