import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Host } from '../../host/host.ts';
import type { Finding } from './finding.ts';

/** Earlier than any edgefab: a machine that says so has lost its battery. */
const EARLIEST = new Date('2025-01-01T00:00:00Z');
const APART_SECONDS = 300;

/**
 * Looks whether the clock can be right: not before edgefab was made, and not far from the machine's own clock
 * (rtc in sysfs). `sys` is where sysfs is.
 */
export async function lookAtClock({ now }: Pick<Host, 'now'>, sys = '/sys'): Promise<Finding> {
  const time = now();
  const shown = time.toISOString();
  if (time < EARLIEST) {
    return {
      what: 'clock',
      state: 'missing',
      detail: `it says ${shown}, which is long past: certificates would not be valid yet`,
      remedy: 'Set it: date -s, then hwclock --systohc; a clock that forgets needs a new battery',
    };
  }
  const text = await readFile(join(sys, 'class/rtc/rtc0/since_epoch'), 'utf8').catch(() => undefined);
  if (text === undefined) return { what: 'clock', state: 'ok', detail: shown };
  const apart = Math.abs(Number(text) - time.getTime() / 1000);
  if (!(apart > APART_SECONDS))
    return { what: 'clock', state: 'ok', detail: `${shown}, the hardware clock agrees` };
  return {
    what: 'clock',
    state: 'note',
    detail: `it says ${shown}, the hardware clock ${new Date(Number(text) * 1000).toISOString()}`,
    remedy:
      'Find out which is right; hwclock --systohc sets the hardware clock, which counts after a restart',
  };
}
