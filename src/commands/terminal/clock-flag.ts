import { EdgefabError } from '../../errors.ts';

/** What a clock chip can say (a century of its own), and what QEMU can give it. */
const FIRST_YEAR = 1980;
const LAST_YEAR = 2099;
const CLOCK = /^(\d{4})-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2})?Z)?$/;

/** Reads what a machine's clock is to say: a day, or a time in UTC (RFC 3339). Throws USAGE_INVALID. */
export function parseClock(text: string): Date {
  const year = Number(CLOCK.exec(text)?.[1]);
  const time = new Date(text);
  // A day that no month has is the next one's first to Date.
  const isReal = !Number.isNaN(time.getTime()) && time.toISOString().startsWith(text.slice(0, 10));
  if (isReal && year >= FIRST_YEAR && year <= LAST_YEAR) return time;
  throw new EdgefabError(
    `--clock: got "${text.slice(0, 100)}", want a day like 2000-01-01 or a time like 2000-01-01T06:00Z, from ${FIRST_YEAR} to ${LAST_YEAR}`,
    { code: 'USAGE_INVALID', suggestions: ['Leave --clock out for the true time'] },
  );
}
