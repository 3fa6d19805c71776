import type { CachePlan } from '../../factory/plan-cache.ts';
import type { PullPlan } from '../../mirror/plan/plan.ts';
import { formatBytes, formatSeconds } from './format-amount.ts';

/** The lines of a pull plan as a person reads them. */
export function renderPlan(plan: PullPlan): string[] {
  const everything = plan.uniqueBytes + plan.duplicateBytes;
  const ratio = plan.uniqueBytes === 0 ? 1 : everything / plan.uniqueBytes;
  return [
    `images            ${plan.images}`,
    `unique blobs      ${plan.uniqueBlobs}, ${formatBytes(plan.uniqueBytes)}`,
    `duplicates saved  ${formatBytes(plan.duplicateBytes)} (${ratio.toFixed(2)} times the unique bytes without sharing)`,
    `already held      ${formatBytes(plan.heldBytes)}`,
    `to fetch          ${formatBytes(plan.fetchBytes)}`,
    `space needed      ${formatBytes(plan.spaceBytes)} on the cache disk`,
  ];
}

/** The lines of a cache plan: the pull, the time it takes, the disk, and the machine's RAM. */
export function renderCachePlan({ plan, rate, livePhase, space, lockState }: CachePlan): string[] {
  return [
    ...renderPlan(plan),
    ...(rate === undefined || plan.seconds === undefined
      ? []
      : [
          `time              ${formatSeconds(plan.seconds)} at ${rate.measured ? 'the measured' : 'the given'} ${formatBytes(rate.bytesPerSecond)}/s`,
        ]),
    `space free        ${formatBytes(space.freeBytes)} at ${space.existing}`,
    ...(livePhase.images === 0
      ? []
      : [
          `live phase        about ${formatBytes(livePhase.neededBytes)} for ${livePhase.images} images in mode ${livePhase.mode}: a machine with ${formatBytes(livePhase.ramBytes)} of RAM`,
        ]),
    `lock              ${lockState}`,
  ];
}
