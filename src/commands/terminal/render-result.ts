import type { PullPlan } from '../../mirror/plan/plan.ts';
import type { PullResult } from '../../mirror/pull/pull-result.ts';
import { formatBytes, formatSeconds } from './format-amount.ts';

/** The lines in which a pull ends, whole or not, as a person reads them. */
export function renderResult(result: PullResult, plan: PullPlan, seconds: number): string[] {
  const rate = Math.round(result.fetchedBytes / Math.max(0.001, seconds));
  return [
    `images            ${result.completeImages} of ${plan.images}`,
    `unique bytes      ${formatBytes(plan.uniqueBytes)} in ${plan.uniqueBlobs} blobs`,
    `fetched           ${formatBytes(result.fetchedBytes)} in ${formatSeconds(seconds)}, ${formatBytes(rate)}/s on average`,
    `already held      ${formatBytes(result.heldBytes)}`,
    `duplicates saved  ${formatBytes(plan.duplicateBytes)}`,
    `retries           ${result.retries}`,
  ];
}
