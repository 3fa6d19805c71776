import type { Host } from '../../host/host.ts';
import { type AtRest, type Awaited, comeToRest, endOf, type Patience } from './come-to-rest.ts';
import { type Expected, guestChecks } from './guest-checks.ts';
import { askStatuses } from './guest-units.ts';
import type { RehearsalLog } from './rehearsal-log.ts';
import type { RunningMachine } from './running-machine.ts';

export interface LookOverOptions extends Patience {
  /** The machine may go on to its next start by itself: what was not looked at until then is left out. */
  readonly mayGoOn: boolean;
}

/** How far a phase was gone through. `goneOn`: the machine is on its way to its next start. */
export type LookedOver = 'done' | 'goneOn' | 'stuck';

/** A machine that goes down ends its services first. */
const GOING_DOWN = '[ -e /run/edgefab/cache.released ] || [ "$(systemctl is-system-running)" = stopping ]';
const END_SECONDS = 90;
const STEP_MS = 500;

/** Waits until a phase of a machine has come to rest and makes its checks, into the log. */
export async function lookOver(
  running: RunningMachine,
  wanted: { readonly awaited: Awaited; readonly expected: Expected },
  options: LookOverOptions,
  log: RehearsalLog,
  host: Pick<Host, 'sleep'>,
): Promise<LookedOver> {
  const rest = await comeToRest(running, wanted.awaited, options, log, host);
  if (rest === 'stuck') return rest;
  // A live system that restarts before it is up has not installed anything.
  if (wanted.awaited.phase === 'installed' && rest.end === 'restart') return 'goneOn';
  log.add(rest.boot);
  await tellUnits(running, rest, log);
  if (rest.boot.state !== 'good') return 'done';
  const checks = guestChecks(wanted.expected, running.shell);
  for (const [index, check] of checks.entries()) {
    options.signal.throwIfAborted();
    const isLate = log.seconds() * 1000 > options.timeoutMs;
    const hasEnded = running.machine.result() !== undefined;
    const found = isLate || hasEnded ? undefined : await check();
    if (found?.state === 'good') {
      log.add(found);
      continue;
    }
    if (options.mayGoOn && !isLate && (await hasGoneOn(running, host))) {
      log.note(`the machine goes on by itself: ${checks.length - index} checks were not made`);
      return 'goneOn';
    }
    if (found === undefined) {
      const detail = isLate ? 'there was no time left' : endOf(running);
      log.add({ name: 'other checks', state: 'unknown', detail });
      return 'done';
    }
    log.add(found);
  }
  await running.look();
  return 'done';
}

async function tellUnits({ machine, shell }: RunningMachine, rest: AtRest, log: RehearsalLog): Promise<void> {
  const isWell = ({ state }: AtRest['units'][number]): boolean => state === 'good' || state === 'skipped';
  for (const unit of rest.units)
    log.add({ name: `unit ${unit.name}`, state: isWell(unit) ? 'good' : 'failed', detail: unit.detail });
  const allWell = rest.boot.state === 'good' && rest.units.every(isWell);
  if (allWell || machine.result() !== undefined || !(await shell.isThere())) return;
  const said = await askStatuses(shell);
  if (said !== undefined)
    log.add({ name: 'what the machine says', state: 'failed', detail: said.join('; ') || 'nothing' });
}

/** Tells whether a check failed only because the machine has done with what it looks at. */
async function hasGoneOn({ machine, shell }: RunningMachine, host: Pick<Host, 'sleep'>): Promise<boolean> {
  if (machine.result() === undefined) {
    const answer = await shell.run(GOING_DOWN);
    if (answer !== undefined) return answer.status === 0;
    for (
      let waitedMs = 0;
      machine.result() === undefined && waitedMs < END_SECONDS * 1000;
      waitedMs += STEP_MS
    )
      await host.sleep(STEP_MS);
  }
  return machine.end() === 'restart';
}
