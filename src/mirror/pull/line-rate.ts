import type { Host } from '../../host/host.ts';

/** Measures how fast a line is, from the bytes of all its transfers. */
export interface LineRate {
  add(bytes: number): void;
  /** Over the last whole second that was measured; undefined before there was one. */
  bytesPerSecond(): number | undefined;
}

const WINDOW_MS = 1000;

/** Starts measuring. */
export function measureLineRate({ now }: Pick<Host, 'now'>): LineRate {
  let sinceMs = now().getTime();
  let sum = 0;
  let rate: number | undefined;
  return {
    add(bytes) {
      sum += bytes;
      const nowMs = now().getTime();
      const elapsed = nowMs - sinceMs;
      if (elapsed < WINDOW_MS) return;
      rate = (sum * 1000) / elapsed;
      sinceMs = nowMs;
      sum = 0;
    },
    bytesPerSecond: () => rate,
  };
}
