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
    ...(plan.seconds === undefined
      ? []
      : [`time              ${formatSeconds(plan.seconds)} at the given rate`]),
  ];
}
