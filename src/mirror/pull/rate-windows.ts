import type { Rate } from './rate-limit.ts';

/** A rate that holds every day from one minute of the day to another, which may be after midnight. */
export interface RateWindow {
  /** Minutes after local midnight, 0–1439; `to` is the first minute that is outside. */
  readonly from: number;
  readonly to: number;
  readonly rate: Rate;
}

/** Windows, the first that fits wins, and what holds outside all of them. */
export interface RateWindows {
  readonly windows: readonly RateWindow[];
  readonly otherwise: Rate;
}

/** Tells the rate of a moment, by the local time of day. */
export function rateAt({ windows, otherwise }: RateWindows, now: Date): Rate {
  const minute = now.getHours() * 60 + now.getMinutes();
  const found = windows.find(({ from, to }) =>
    from < to ? minute >= from && minute < to : minute >= from || minute < to,
  );
  return found === undefined ? otherwise : found.rate;
}
