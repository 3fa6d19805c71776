import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { type ConsoleWatch, watchConsole } from './console-watch.ts';
import { type Expected, type Found, guestChecks } from './guest-checks.ts';
import { type GuestShell, openGuestShell } from './guest-shell.ts';
import { askStatuses, askUnits, type GuestUnit } from './guest-units.ts';
import { type MachinePlan, machineFiles } from './qemu-command.ts';
import type { Check, Rehearsal } from './rehearsal.ts';
import { startMachine, type VirtualMachine } from './virtual-machine.ts';

export interface WatchOptions {
  readonly timeoutMs: number;
  readonly signal: AbortSignal;
  /** Told of each moment and check as it comes. */
  readonly onNews: (line: string) => void;
}

const LOOK_MS = 1000;

/** What was seen of a machine from the moment it was switched on. */
export interface Watched {
  readonly checks: readonly Check[];
  readonly timeline: Rehearsal['timeline'];
  readonly seconds: number;
}

/** Starts a machine, follows it until its units have come to rest, and makes the checks; `stuck`: KVM gave up. */
export async function watchMachine(
  plan: MachinePlan,
  units: readonly string[],
  expected: Expected,
  { timeoutMs, signal, onNews }: WatchOptions,
  host: Pick<Host, 'run' | 'sleep' | 'now'>,
): Promise<Watched | 'stuck'> {
  const started = host.now().getTime();
  const seconds = (): number => (host.now().getTime() - started) / 1000;
  const files = machineFiles(plan);
  const console = watchConsole(files.console);
  const checks: Check[] = [];
  const add = ({ name, state, detail }: Found): void => {
    checks.push({ phase: 'live', name, state, detail, seconds: seconds() });
    onNews(`${state}: ${name}: ${detail}`);
  };
  await using machine = startMachine(plan, host);
  const shell = openGuestShell(files.shell, host);
  try {
    const rest = await comeToRest(
      machine,
      shell,
      units,
      console,
      { timeoutMs, signal, seconds, onNews },
      host,
    );
    if (rest === 'stuck') return rest;
    add(rest.boot);
    for (const { name, state, detail } of rest.units)
      add({
        name: `unit ${name}`,
        state: state === 'good' || state === 'skipped' ? 'good' : 'failed',
        detail,
      });
    const allWell = checks.every(({ state }) => state === 'good');
    const mute = allWell || machine.result() !== undefined || !(await shell.isThere());
    const said = mute ? undefined : await askStatuses(shell);
    if (said !== undefined)
      add({ name: 'what the machine says', state: 'failed', detail: said.join('; ') || 'nothing' });
    if (rest.boot.state === 'good') {
      for (const check of guestChecks(expected, shell)) {
        signal.throwIfAborted();
        const late = seconds() * 1000 > timeoutMs;
        if (late || machine.result() !== undefined) {
          const detail = late ? 'there was no time left' : 'the machine switched itself off or started again';
          add({ name: 'other checks', state: 'unknown', detail });
          break;
        }
        add(await check());
      }
      await console.look(seconds());
    }
  } finally {
    shell.close();
  }
  return { checks, timeline: console.moments, seconds: seconds() };
}

interface AtRest {
  readonly boot: Found;
  readonly units: readonly GuestUnit[];
}

interface Patience extends WatchOptions {
  readonly seconds: () => number;
}

/** Waits until no unit is on its way any more, or it is clear that it will not come to that. */
async function comeToRest(
  machine: VirtualMachine,
  shell: GuestShell,
  names: readonly string[],
  console: ConsoleWatch,
  { timeoutMs, signal, seconds, onNews }: Patience,
  host: Pick<Host, 'sleep'>,
): Promise<AtRest | 'stuck'> {
  let units: readonly GuestUnit[] = [];
  let told = 0;
  const failed = (detail: string): AtRest => ({ boot: { name: 'boot', state: 'failed', detail }, units });
  for (;;) {
    signal.throwIfAborted();
    await console.look(seconds());
    for (const { what } of console.moments.slice(told)) onNews(what);
    told = console.moments.length;
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
    if (result !== undefined) return failed('the machine switched itself off or started again');
    const askable = console.moments.some(({ what }) => what.startsWith('the initramfs hands over'));
    const asked = askable && (await shell.isThere()) ? await askUnits(shell, names) : undefined;
    units = asked ?? units;
    if (asked !== undefined && asked.length > 0 && asked.every(({ state }) => state !== 'waiting'))
      return { boot: { name: 'boot', state: 'good', detail: 'the live system is up' }, units };
    if (seconds() * 1000 > timeoutMs) {
      const waiting = units.filter(({ state }) => state === 'waiting').map(({ name }) => name);
      return failed(
        waiting.length === 0
          ? 'the live system did not come up in time'
          : `not done in time: ${waiting.join(', ')}`,
      );
    }
    await host.sleep(LOOK_MS, signal);
  }
}
