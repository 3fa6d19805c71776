import { Flags } from '@oclif/core';
import { EdgefabError } from '../../errors.ts';
import type { Rate } from '../../mirror/pull/rate-limit.ts';
import type { RateWindow, RateWindows } from '../../mirror/pull/rate-windows.ts';
import { parseRate } from './format-amount.ts';

/** Flags of a command that shares its line with others. */
export const rateFlags = {
  'limit-rate': Flags.string({
    description:
      'most bytes per second of all transfers together: 8M, 500K, 50Mbit; 0 or off pauses; where no --window says otherwise',
    helpGroup: 'LINE',
  }),
  window: Flags.string({
    description:
      'rates by local time of day, the first that fits holds: 22:00-06:00=8M,*=2M; 0 or off pauses until the next',
    helpGroup: 'LINE',
  }),
};

const MINUTES_A_DAY = 24 * 60;

function usage(message: string): EdgefabError {
  return new EdgefabError(message, {
    code: 'USAGE_INVALID',
    suggestions: [
      'Write rates as 8M (bytes per second) or 50Mbit, windows as 22:00-06:00=8M,*=2M, and 0 or off for a pause',
    ],
  });
}

function rateOf(text: string, flag: string): Rate {
  if (text === 'off' || text === '0') return 0;
  const rate = parseRate(text);
  if (rate === undefined) throw usage(`${flag}: "${text}" is no rate`);
  return rate;
}

function minuteOf(text: string, window: string): number {
  const [, hours, minutes] = /^(\d{1,2}):(\d{2})$/.exec(text) ?? [];
  const minute = Number(hours) * 60 + Number(minutes);
  if (hours === undefined || Number(minutes) > 59 || minute > MINUTES_A_DAY)
    throw usage(`--window: "${text}" in "${window}" is no time of day`);
  return minute;
}

/** Reads the line flags; undefined when there is no limit at all. Throws USAGE_INVALID. */
export function parseRateFlags(flags: {
  readonly 'limit-rate'?: string | undefined;
  readonly window?: string | undefined;
}): RateWindows | undefined {
  const limit = flags['limit-rate'];
  if (limit === undefined && flags.window === undefined) return undefined;
  const windows: RateWindow[] = [];
  let otherwise = limit === undefined ? undefined : rateOf(limit, '--limit-rate');
  for (const item of flags.window?.split(',') ?? []) {
    const [, when = '', rate = ''] = /^\s*([^=]+?)\s*=\s*(\S+)\s*$/.exec(item) ?? [];
    if (when === '*') {
      if (limit !== undefined) throw usage('--limit-rate and "*" in --window both say what holds otherwise');
      otherwise = rateOf(rate, '--window');
      continue;
    }
    const [from, to, ...more] = when.split('-');
    if (from === undefined || to === undefined || more.length > 0)
      throw usage(`--window: "${item}" is no window`);
    const window = { from: minuteOf(from, item), to: minuteOf(to, item), rate: rateOf(rate, '--window') };
    if (window.from === window.to) throw usage(`--window: "${item}" begins when it ends`);
    windows.push({ ...window, from: window.from % MINUTES_A_DAY });
  }
  const rates = [otherwise, ...windows.map(({ rate }) => rate)];
  if (rates.every((rate) => rate === 0)) throw usage('with these rates nothing would ever be fetched');
  return { windows, otherwise };
}
