import { type FolderSpace, folderSpace } from '../disk/cache/folder-space.ts';
import { type DeliveryMode, type LivePhase, livePhase } from '../mirror/plan/live-phase.ts';
import { measureRate } from '../mirror/plan/measure-rate.ts';
import { type PullPlan, planPull, uniqueBlobs } from '../mirror/plan/plan.ts';
import type { Lock } from '../mirror/resolve/lock.ts';
import { heldBlobs } from '../mirror/store/held-blobs.ts';
import type { MirrorRequest } from './mirror-request.ts';
import { type LockOptions, type LockOutcome, type LockSources, resolveLock } from './resolve-lock.ts';

export interface PlanOptions extends LockOptions {
  readonly update: boolean;
  /** Bytes per second, or `measure` to try the line for some seconds. */
  readonly rate?: number | 'measure';
  /** How the machines get their images; from a registry on their loopback unless given. */
  readonly mode?: DeliveryMode;
  /** The clock for measuring, in milliseconds. */
  readonly now: () => number;
}

/** What filling a cache will cost, and what it will ask of a machine. */
export interface CachePlan {
  readonly plan: PullPlan;
  /** Bytes per second the time was computed with. */
  readonly rate?: { readonly bytesPerSecond: number; readonly measured: boolean };
  readonly livePhase: LivePhase;
  readonly lockState: LockOutcome['state'];
  readonly warnings: readonly string[];
  readonly space: FolderSpace;
  readonly fits: boolean;
}

/** Plans a cache without changing anything on disk. */
export async function planCache(
  request: MirrorRequest,
  sources: LockSources,
  options: PlanOptions,
): Promise<{ readonly cachePlan: CachePlan; readonly lock: Lock }> {
  const { lock, state, warnings } = await resolveLock(request, options.update, sources, options);
  const blobs = uniqueBlobs(lock.images);
  const held = await heldBlobs(request.folder, blobs);
  const missing = blobs.filter(({ digest }) => !held.has(digest));
  const measured = options.rate === 'measure';
  const bytesPerSecond =
    options.rate === 'measure' ? await measureRate(missing, sources, options) : options.rate;
  const plan = planPull(lock.images, held, bytesPerSecond);
  const space = await folderSpace(request.folder);
  const cachePlan = {
    plan,
    ...(bytesPerSecond === undefined ? {} : { rate: { bytesPerSecond, measured } }),
    livePhase: livePhase(lock.images, { version: lock.release?.version, mode: options.mode ?? 'registry' }),
    lockState: state,
    warnings,
    space,
    fits: plan.spaceBytes <= space.freeBytes,
  };
  return { cachePlan, lock };
}
