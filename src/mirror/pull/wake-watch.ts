import type { Host } from '../../host/host.ts';

/** Notices that this process stood still: stopped by Ctrl-Z, or with the machine asleep. */
export interface WakeWatch {
  /** Tells whether it stood still at some time after this moment. */
  stoodStillSince(ms: number): boolean;
  stop(): void;
}

const BEAT_MS = 1000;
/** A busy event loop is late by less than this. */
const LATE_MS = 2500;

/** Starts a heartbeat; a gap in it is a time in which sockets died without anybody's fault. */
export function watchWakes({ now }: Pick<Host, 'now'>): WakeWatch {
  let beatMs = now().getTime();
  let wokeMs = Number.NEGATIVE_INFINITY;
  const look = (): void => {
    const nowMs = now().getTime();
    if (nowMs - beatMs > LATE_MS) wokeMs = nowMs;
    beatMs = nowMs;
  };
  const timer = setInterval(look, BEAT_MS);
  timer.unref();
  return {
    stoodStillSince: (ms) => {
      // The timers of dead sockets may fire before the heartbeat's own.
      look();
      return wokeMs >= ms;
    },
    stop: () => clearInterval(timer),
  };
}
