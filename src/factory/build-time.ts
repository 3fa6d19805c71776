import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';

/**
 * The one time a build is of: SOURCE_DATE_EPOCH (whole seconds since 1970) where it is set, else the clock. Throws
 * USAGE_INVALID for one that is no such number.
 */
export function buildTime({ env, now }: Pick<Host, 'env' | 'now'>): Date {
  const text = env.SOURCE_DATE_EPOCH;
  if (text === undefined || text === '') return now();
  // The year 9999, after which certificates cannot say when they end (RFC 5280 section 4.1.2.5).
  if (/^[0-9]{1,12}$/.test(text) && Number(text) < 253_402_300_800) return new Date(Number(text) * 1000);
  throw new EdgefabError(
    `SOURCE_DATE_EPOCH is "${text.slice(0, 40)}", want whole seconds since 1970-01-01T00:00:00Z`,
    { code: 'USAGE_INVALID' },
  );
}
