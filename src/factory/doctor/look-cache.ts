import { EdgefabError } from '../../errors.ts';
import { livePhase } from '../../mirror/plan/live-phase.ts';
import type { Lock } from '../../mirror/resolve/lock.ts';
import { loadCache } from '../../mirror/store/load-cache.ts';
import { type VerifyOptions, verifyCache } from '../../mirror/store/verify-cache.ts';
import type { Finding } from './finding.ts';
import { lookAtMemory } from './look-memory.ts';

/** Looks at a cache: whether it is complete; with `verify` also whether every byte is right. */
export async function lookAtCache(
  root: string,
  verify: VerifyOptions | undefined,
): Promise<{ readonly findings: Finding[]; readonly lock?: Lock }> {
  const what = `cache ${root}`;
  const again = 'Run edgefab precache until it ends with status 0';
  try {
    const { cache, lock } = await loadCache(root);
    if (cache.state !== 'complete') {
      const finding: Finding = { what, state: 'missing', detail: 'it is incomplete', remedy: again };
      return { findings: [finding], lock };
    }
    const release = lock.release?.version ?? 'no release';
    const detail = `complete, ${lock.images.length} images, ${release}, id ${cache.cacheId}`;
    if (verify === undefined) return { findings: [{ what, state: 'ok', detail }], lock };
    const { faults, bytes } = await verifyCache(root, verify);
    const [first] = faults;
    if (first === undefined)
      return { findings: [{ what, state: 'ok', detail: `${detail}; ${bytes} bytes read and right` }], lock };
    const wrong = `${faults.length} things in it are wrong, first ${first.path}: ${first.got}, want ${first.want}`;
    const remedy = 'Where there is a line: edgefab cache verify --repair; otherwise take another disk';
    return { findings: [{ what, state: 'missing', detail: wrong, remedy }], lock };
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    const remedy = error.suggestions[0];
    return {
      findings: [
        { what, state: 'missing', detail: error.message, ...(remedy === undefined ? {} : { remedy }) },
      ],
    };
  }
}

/** Looks whether this machine has the memory to install what a lock holds, served by a registry on it. */
export async function lookAtMemoryFor(lock: Lock): Promise<Finding> {
  return await lookAtMemory(livePhase(lock.images, { version: lock.release?.version, mode: 'registry' }));
}
