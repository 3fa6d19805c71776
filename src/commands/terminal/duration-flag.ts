import { EdgefabError } from '../../errors.ts';
import { durationMs } from '../../factory/values.ts';

/** Reads a flag that is a time, `30d`. Returns milliseconds. Throws USAGE_INVALID. */
export function parseDuration(flag: string, text: string): number {
  const ms = durationMs(text);
  if (ms !== undefined) return ms;
  throw new EdgefabError(
    `${flag}: "${text.slice(0, 40)}" is no time: want a whole number with m, h, d or y, for example 30d or 1y`,
    { code: 'USAGE_INVALID' },
  );
}
