import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import type { Host } from '../../host/host.ts';

/** What a machine ended with: it asked to be started again, or it switched itself off. */
export type MachineEnd = 'restart' | 'off';

/** Listens on a control socket of QEMU until QEMU is gone. */
export interface EndListener {
  /** Undefined before the machine has ended, and where it was ended from outside. */
  end(): MachineEnd | undefined;
  /** Waits for the last that QEMU has to say; only once its process has ended. */
  finish(): Promise<void>;
}

const RETRY_MS = 100;
/** Reasons of the event SHUTDOWN (QEMU's QMP reference, ShutdownCause). */
const REASONS: Readonly<Record<string, MachineEnd>> = {
  'guest-reset': 'restart',
  'guest-shutdown': 'off',
  'guest-panic': 'off',
};

/** Begins to listen; the socket need not be there yet. */
export function listenForEnd(path: string, host: Pick<Host, 'sleep'>): EndListener {
  let end: MachineEnd | undefined;
  let isOver = false;
  const listen = async (): Promise<boolean> => {
    const connection = createConnection(path);
    let wasThere = false;
    connection.on('connect', () => {
      wasThere = true;
      connection.write('{"execute":"qmp_capabilities"}\n');
    });
    connection.on('error', () => connection.destroy());
    try {
      for await (const line of createInterface({ input: connection })) end = endIn(line) ?? end;
    } catch {
      // The socket is gone with the machine.
    } finally {
      connection.destroy();
    }
    return wasThere;
  };
  const done = (async () => {
    while (!isOver && !(await listen())) await host.sleep(RETRY_MS);
  })();
  return {
    end: () => end,
    finish: async () => {
      isOver = true;
      await done;
    },
  };
}

function endIn(line: string): MachineEnd | undefined {
  // Events are one a line, and only one is of interest: what else is said need not even be JSON.
  const reason = /"event": ?"SHUTDOWN"/.test(line) ? /"reason": ?"([a-z-]+)"/.exec(line)?.[1] : undefined;
  return reason === undefined ? undefined : REASONS[reason];
}
