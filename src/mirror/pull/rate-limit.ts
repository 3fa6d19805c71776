import type { Host } from '../../host/host.ts';

/** Bytes per second; undefined is no limit, 0 is a pause. */
export type Rate = number | undefined;

/** Holds all transfers together to a rate. */
export interface RateLimit {
  /** Waits until this many bytes may pass. */
  take(bytes: number, signal: AbortSignal): Promise<void>;
}

/** What may be caught up after a wait that was late: small, or a limit would let bursts through. */
const BURST_MS = 200;
/** How often a pause looks at the clock again, which may be set or stand still meanwhile. */
const PAUSE_STEP_MS = 10_000;

/**
 * Makes a token bucket in its virtual-time form: each byte moves the moment at which the next may pass, so
 * that late timers do not add up. `rateAt` gives the rate of a moment; `onPause` is told once when a pause begins.
 */
export function createRateLimit(
  rateAt: (now: Date) => Rate,
  host: Pick<Host, 'now' | 'sleep'>,
  onPause: () => void = () => {},
): RateLimit {
  let freeAtMs = 0;
  let lastMs = 0;
  let paused = false;
  return {
    async take(bytes, signal) {
      for (;;) {
        const now = host.now();
        const nowMs = now.getTime();
        // The clock was set back: what was owed by the old one says nothing.
        if (nowMs < lastMs) freeAtMs = nowMs;
        lastMs = nowMs;
        const rate = rateAt(now);
        if (rate === undefined) {
          paused = false;
          return;
        }
        if (rate > 0) {
          paused = false;
          freeAtMs = Math.max(freeAtMs, nowMs - BURST_MS) + (bytes / rate) * 1000;
          if (freeAtMs > nowMs) await host.sleep(freeAtMs - nowMs, signal);
          return;
        }
        if (!paused) onPause();
        paused = true;
        await host.sleep(PAUSE_STEP_MS, signal);
      }
    },
  };
}
