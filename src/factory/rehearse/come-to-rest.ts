import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Found } from './guest-checks.ts';
import { askStatuses, askUnits, type GuestUnit } from './guest-units.ts';
import type { MachineEnd } from './machine-end.ts';
import type { Phase } from './rehearsal.ts';
import type { RehearsalLog } from './rehearsal-log.ts';
import type { RunningMachine } from './running-machine.ts';

/** Who waits for how long. */
export interface Patience {
  /** Since the machine was switched on first. */
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
}

/** What a phase is waited for. */
export interface Awaited {
  readonly phase: Phase;
  /** Units of edgefab that must be there. */
  readonly units: readonly string[];
  /** Units that are waited for where the machine has them. */
  readonly others: readonly string[];
}

/** How a machine came to rest, or why it will not. */
export interface AtRest {
  readonly boot: Found;
  readonly units: readonly GuestUnit[];
  /** What it ended with meanwhile. */
  readonly end?: MachineEnd | undefined;
}

const LOOK_MS = 1000;
/** The longest a machine is left alone that takes its time to answer. */
const MAX_PAUSE_MS = 10_000;
/** The console of an installed system may say nothing: then the shell is tried all the same. */
const OVERDUE_SECONDS = 120;
const NAMES: Readonly<Record<Phase, string>> = { live: 'the live system', installed: 'the installed system' };
const ENDS: Readonly<Record<MachineEnd, string>> = {
  restart: 'the machine restarted by itself',
  off: 'the machine switched itself off',
};

/** Says in words how a machine that no longer runs has ended. */
export function endOf({ machine }: Pick<RunningMachine, 'machine'>): string {
  const end = machine.end();
  return end === undefined ? 'the machine is gone' : ENDS[end];
}

/**
 * Waits until no unit is on its way any more and nothing is being copied, or it is clear that it will not come to that;
 * `stuck`: KVM gave up. Throws TOOL_FAILED when QEMU does not run.
 */
export async function comeToRest(
  running: RunningMachine,
  { phase, units: own, others }: Awaited,
  { timeoutMs, signal }: Patience,
  log: Pick<RehearsalLog, 'seconds'>,
  host: Pick<Host, 'sleep'>,
): Promise<AtRest | 'stuck'> {
  const { machine, shell, console } = running;
  let units: readonly GuestUnit[] = [];
  let copying: string | undefined;
  let hasShell = false;
  let stopped: string | undefined;
  const failed = (detail: string): AtRest => ({ boot: { name: 'boot', state: 'failed', detail }, units });
  for (;;) {
    signal.throwIfAborted();
    await running.look();
    const result = machine.result();
    const fault = console.fault();
    if (result !== undefined && result.exitCode !== 0 && console.moments.length === 0) {
      throw new EdgefabError(`QEMU does not run: ${result.stderr.trim().slice(-500)}`, {
        code: 'TOOL_FAILED',
        suggestions: ['See whether the disk is in use, and whether this user may read it'],
      });
    }
    if (result === undefined && (await machine.isStuck())) return 'stuck';
    if (fault !== undefined) return failed(`the console says: ${fault}`);
    if (result !== undefined) return { ...failed(endOf(running)), end: machine.end() };
    const isOverdue = phase === 'installed' && log.seconds() - running.startedAt > OVERDUE_SECONDS;
    hasShell ||= (console.isHandedOver() || isOverdue) && (await shell.isThere());
    const askedAt = log.seconds();
    const asked = hasShell ? await askUnits(shell, [...own, ...others]) : undefined;
    units = asked?.filter(({ name, isThere }) => isThere || own.includes(name)) ?? units;
    if (asked !== undefined && asked.length > 0 && units.every(({ state }) => state !== 'waiting')) {
      copying = phase === 'installed' ? await copyInProgress(running) : undefined;
      if (copying === undefined)
        return { boot: { name: 'boot', state: 'good', detail: `${NAMES[phase]} is up` }, units };
    }
    if (hasShell && units.some(({ state }) => state === 'failed')) {
      const said = await stoppedPart(running);
      if (said !== undefined && said === stopped) return failed(`the machine waits for a person: ${said}`);
      stopped = said;
    }
    if (log.seconds() * 1000 > timeoutMs) {
      if (phase === 'installed' && !hasShell) return { boot: notHeard(console.moments.at(-1)), units };
      const waiting = units.filter(({ state }) => state === 'waiting').map(({ name }) => name);
      if (copying !== undefined) waiting.push(copying);
      return failed(
        waiting.length === 0
          ? `${NAMES[phase]} did not come up in time`
          : `not done in time: ${waiting.join(', ')}`,
      );
    }
    // A slow machine is not to be kept busy with answers.
    const askedMs = (log.seconds() - askedAt) * 1000;
    await host.sleep(Math.min(Math.max(LOOK_MS, 2 * askedMs), MAX_PAUSE_MS), signal);
  }
}

/** What edgefab-keep-cache.service says while it copies: systemd knows of it only that it runs. */
async function copyInProgress({ shell }: RunningMachine): Promise<string | undefined> {
  const statuses = (await askStatuses(shell)) ?? [];
  return statuses.find((line) => line.startsWith('keep-cache: copying'));
}

/** What a part of edgefab says that goes on only when a person has done something; others may try for ever meanwhile. */
async function stoppedPart({ shell }: RunningMachine): Promise<string | undefined> {
  const statuses = (await askStatuses(shell)) ?? [];
  return statuses.find((line) => /^[\w-]+: stopped - /.test(line));
}

/** Whether it came up is not known, and it may well have. */
function notHeard(last: string | undefined): Found {
  const detail = `the installed system has no shell on the second serial port, and its console ${last === undefined ? 'says nothing' : `says last: ${last}`}`;
  return { name: 'boot', state: 'unknown', detail };
}
