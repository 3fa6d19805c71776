import { EdgefabError } from '../../errors.ts';
import type { Host, ProgramResult } from '../../host/host.ts';
import { controlMachine } from './machine-control.ts';
import { listenForEnd, type MachineEnd } from './machine-end.ts';
import { type MachinePlan, machineFiles, qemuArguments } from './qemu-command.ts';

const QEMU = 'qemu-system-x86_64';
const STOP_MS = 20_000;

/** A machine that runs. Dispose of it to end it. */
export interface VirtualMachine extends AsyncDisposable {
  /** Undefined while it runs. */
  result(): ProgramResult | undefined;
  /** Whether it asked to be started again or switched itself off; known as soon as there is a result. */
  end(): MachineEnd | undefined;
  /** Tells whether the processor could not go on: KVM gave up on what the machine does. */
  isStuck(): Promise<boolean>;
}

/** Starts a machine. Rejects with TOOL_MISSING without QEMU; a plan QEMU refuses is in the result. */
export function startMachine(plan: MachinePlan, host: Pick<Host, 'run' | 'sleep'>): VirtualMachine {
  let result: ProgramResult | undefined;
  let fault: unknown;
  const { control, events } = machineFiles(plan);
  const listener = listenForEnd(events, host);
  const ended = host.run(QEMU, qemuArguments(plan)).then(
    async (finished) => {
      await listener.finish();
      result = finished;
    },
    async (error: unknown) => {
      await listener.finish();
      fault = error;
    },
  );
  return {
    result: () => {
      if (fault !== undefined) throw fault;
      return result;
    },
    end: () => listener.end(),
    isStuck: async () => {
      const answer = await controlMachine(control, 'query-status');
      return (
        typeof answer === 'object' &&
        answer !== null &&
        'status' in answer &&
        answer.status === 'internal-error'
      );
    },
    [Symbol.asyncDispose]: async () => {
      if (result !== undefined || fault !== undefined) return;
      await controlMachine(control, 'quit');
      const patience = new AbortController();
      const late = host.sleep(STOP_MS, patience.signal).catch(() => undefined);
      await Promise.race([ended, late]);
      // A timer that is left would keep the program from its end.
      patience.abort();
      if (result === undefined && fault === undefined) {
        throw new EdgefabError(`the rehearsed machine of ${plan.name} does not end`, {
          code: 'TOOL_FAILED',
          suggestions: [`End the program ${QEMU} -name edgefab-${plan.name} by hand`],
        });
      }
    },
  };
}
