import type { Host } from '../../host/host.ts';
import { type ConsoleWatch, watchConsole } from './console-watch.ts';
import { type GuestShell, openGuestShell } from './guest-shell.ts';
import { type MachinePlan, machineFiles } from './qemu-command.ts';
import type { Phase } from './rehearsal.ts';
import type { RehearsalLog } from './rehearsal-log.ts';
import { startMachine, type VirtualMachine } from './virtual-machine.ts';

/** A machine that was switched on, and what it is watched by. Dispose of it to end it. */
export interface RunningMachine extends AsyncDisposable {
  readonly machine: VirtualMachine;
  readonly shell: GuestShell;
  readonly console: ConsoleWatch;
  /** When it was switched on, in seconds of the log. */
  readonly startedAt: number;
  /** Puts what the console tells of its way into the log. */
  look(): Promise<void>;
}

/** Switches a machine on; its plan's log folder is there. Throws what `startMachine` throws. */
export function switchOn(
  plan: MachinePlan,
  phase: Phase,
  log: RehearsalLog,
  host: Pick<Host, 'run' | 'sleep'>,
): RunningMachine {
  const files = machineFiles(plan);
  const console = watchConsole(files.console, phase);
  const machine = startMachine(plan, host);
  const shell = openGuestShell(files.shell, host);
  let told = 0;
  return {
    machine,
    shell,
    console,
    startedAt: log.seconds(),
    look: async () => {
      await console.look();
      for (const what of console.moments.slice(told)) log.note(what);
      told = console.moments.length;
    },
    [Symbol.asyncDispose]: async () => {
      shell.close();
      await machine[Symbol.asyncDispose]();
    },
  };
}
