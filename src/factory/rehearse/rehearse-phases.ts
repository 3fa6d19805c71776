import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Awaited, Patience } from './come-to-rest.ts';
import { followInstall } from './follow-install.ts';
import type { Expected } from './guest-checks.ts';
import { type LookedOver, lookOver } from './look-over.ts';
import type { MachinePlan } from './qemu-command.ts';
import type { Phase } from './rehearsal.ts';
import type { RehearsalLog } from './rehearsal-log.ts';
import { type RunningMachine, switchOn } from './running-machine.ts';

/** What a phase is waited for and looked at. */
export interface WantedPhase {
  readonly awaited: Awaited;
  readonly expected: Expected;
}

export interface WantedPhases {
  readonly live: WantedPhase;
  /** Undefined: the rehearsal ends before anything is installed. */
  readonly installed: (WantedPhase & { readonly stick: 'leave' | 'remove' }) | undefined;
}

/** A start of the machine, with what it was started as. */
export interface Start {
  readonly phase: Phase;
  readonly plan: MachinePlan;
}

type PhasesHost = Pick<Host, 'run' | 'sleep'>;

/** Ignition, the new operating system of the machine config operator, and some to spare. */
const MAX_STARTS = 6;

/**
 * Starts a machine from its stick and looks it over; where it is to install, lets it do so, and starts it from its disk
 * as often as it restarts. All that is found goes into the log; gives the starts. Throws TOOL_FAILED when QEMU does not
 * run.
 */
export async function rehearsePhases(
  plan: MachinePlan,
  { live, installed }: WantedPhases,
  patience: Patience,
  log: RehearsalLog,
  host: PhasesHost,
): Promise<readonly Start[]> {
  const { start: first } = await startAndLook({ phase: 'live', plan }, log, host, async (running) => {
    const options = { ...patience, mayGoOn: installed !== undefined };
    const seen = await lookOver(running, live, options, log, host);
    const isWell = log.checks.every(({ state }) => state === 'good');
    if (seen !== 'stuck' && isWell && installed !== undefined)
      log.add(await followInstall(running, patience, log, host));
    return seen;
  });
  if (installed === undefined || log.checks.some(({ state }) => state !== 'good')) return [first];
  log.begin('installed');
  const starts = [first];
  const { stick, accelerator } = first.plan;
  for (let number = 1; number <= MAX_STARTS; number += 1) {
    const logFolder = join(plan.logFolder, number === 1 ? 'installed' : `installed-${number}`);
    await mkdir(logFolder, { mode: 0o700 });
    const next: MachinePlan = {
      ...plan,
      accelerator,
      startsFrom: 'target',
      stick: installed.stick === 'leave' ? stick : undefined,
      logFolder,
    };
    log.note('the machine is started from its disk');
    const { start, seen } = await startAndLook({ phase: 'installed', plan: next }, log, host, (running) =>
      lookOver(running, installed, { ...patience, mayGoOn: true }, log, host),
    );
    starts.push(start);
    if (seen !== 'goneOn') return starts;
    log.forget('installed');
  }
  log.add({
    name: 'boot',
    state: 'failed',
    detail: `the installed system started again ${MAX_STARTS} times and did not come up`,
  });
  return starts;
}

/** Starts once more without KVM where that cannot do all a boot loader does: it is so inside of some virtual machines. */
async function startAndLook(
  start: Start,
  log: RehearsalLog,
  host: PhasesHost,
  watch: (running: RunningMachine) => Promise<LookedOver>,
): Promise<{ readonly start: Start; readonly seen: LookedOver }> {
  for (const accelerator of [start.plan.accelerator, 'tcg'] as const) {
    const plan: MachinePlan = { ...start.plan, accelerator };
    await using running = switchOn(plan, start.phase, log, host);
    const seen = await watch(running);
    if (seen !== 'stuck') return { start: { ...start, plan }, seen };
    if (accelerator === 'kvm') log.note('KVM gave up here: starting once more without it');
    else break;
  }
  throw new EdgefabError('QEMU gave up on the machine', {
    code: 'TOOL_FAILED',
    suggestions: ['Rehearse on another workstation'],
  });
}
