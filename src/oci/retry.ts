import { createHash } from 'node:crypto';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';

/** Failures worth another try, with the wait the server asked for. */
const transientWaits = new WeakMap<EdgefabError, number>();

const FIRST_WAIT_MS = 1000;
const LONGEST_WAIT_MS = 30_000;
/** A server may ask for more patience than ours, not for hours of silence. */
const LONGEST_ASKED_WAIT_MS = 120_000;

/** Marks an error as one that may go away; `retryAfterMs` is what the server asked for. */
export function transient(error: EdgefabError, retryAfterMs = 0): EdgefabError {
  transientWaits.set(error, retryAfterMs);
  return error;
}

/** Tells whether an error is one that may go away. */
export function isTransient(error: unknown): boolean {
  return error instanceof EdgefabError && transientWaits.has(error);
}

/** Reads Retry-After, seconds or a date (RFC 9110 §10.2.3), as milliseconds from now; 0 when unreadable. */
export function parseRetryAfter(value: string | undefined, now: Date): number {
  const text = value?.trim() ?? '';
  if (/^[0-9]{1,9}$/.test(text)) return Number(text) * 1000;
  const at = /[A-Za-z]/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? 0 : Math.max(0, at - now.getTime());
}

/** Half to all of the wait, so that streams which failed together do not come back together. */
export function jittered(waitMs: number, seed: string): number {
  const fraction = createHash('sha256').update(seed).digest().readUInt32BE() / 2 ** 32;
  return Math.round(waitMs * (0.5 + fraction / 2));
}

/** Told before each wait: what failed, how long the wait is, and how long the server asked for (0: it did not). */
export type OnRetry = (error: EdgefabError, waitMs: number, askedMs: number) => void;

export interface RetryOptions {
  readonly onRetry?: OnRetry | undefined;
  readonly retryTimes: number;
  /** What is attempted: it spreads the waits of different requests. */
  readonly what: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs an attempt again, up to `retryTimes` times, while it fails with a `transient` error; waits 1 s, 2 s, 4 s
 * … up to 30 s between, or what the server asked for, up to 2 minutes. Throws the last error as it was.
 */
export async function withRetries<T>(
  attempt: () => Promise<T>,
  { retryTimes, what, signal, onRetry }: RetryOptions,
  host: Pick<Host, 'now' | 'sleep'>,
): Promise<T> {
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt();
    } catch (error) {
      const askedMs = error instanceof EdgefabError ? transientWaits.get(error) : undefined;
      if (askedMs === undefined || failures >= retryTimes || signal?.aborted === true) throw error;
      const ownMs = Math.min(FIRST_WAIT_MS * 2 ** failures, LONGEST_WAIT_MS);
      const spreadMs = jittered(ownMs, `${what} ${failures} ${host.now().getTime()}`);
      const obeyedMs = Math.min(askedMs, LONGEST_ASKED_WAIT_MS);
      const waitMs = Math.max(spreadMs, obeyedMs);
      onRetry?.(error as EdgefabError, waitMs, obeyedMs);
      await host.sleep(waitMs, signal);
    }
  }
}
