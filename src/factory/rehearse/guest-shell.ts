import { createConnection, type Socket } from 'node:net';
import type { Host } from '../../host/host.ts';

/** What a command in the machine left behind. */
export interface GuestResult {
  readonly status: number;
  readonly output: string;
}

/** Root's shell in a rehearsed machine, on its second serial port. */
export interface GuestShell {
  /** Runs a command line; undefined when there was no answer in time. */
  run(command: string, timeoutMs?: number): Promise<GuestResult | undefined>;
  /** Tells whether there is a shell yet: before it is there, nobody keeps what it is told. */
  isThere(): Promise<boolean>;
  close(): void;
}

const THERE_MS = 15_000;
const DEFAULT_TIMEOUT_MS = 60_000;
const STEP_MS = 200;
/** A terminal takes lines up to 4095 bytes. */
const MAX_LINE_BYTES = 4000;
const MAX_HEARD_BYTES = 16 * 1024 * 1024;
const OUTPUT = '/run/edgefab-rehearsal.out';
/**
 * Has the shell forget what it holds. What is told before the terminal is set up may lose its beginning: the shell then
 * waits for the end of a quotation, and takes all that comes for a part of it.
 */
const INTERRUPT = '\u0003\n';

/** Connects to the shell; the machine need not be up yet, and its answers come when it is. */
export function openGuestShell(path: string, host: Pick<Host, 'sleep'>): GuestShell {
  let heard = '';
  let asked = 0;
  let isUnanswered = false;
  let socket: Socket | undefined;
  const connected = (): Socket => {
    if (socket !== undefined && !socket.destroyed) return socket;
    const opened = createConnection(path);
    opened.setEncoding('latin1');
    opened.on('data', (text: string) => {
      heard = (heard + text).slice(-MAX_HEARD_BYTES);
    });
    opened.on('error', () => opened.destroy());
    socket = opened;
    return opened;
  };
  const run: GuestShell['run'] = async (command, timeoutMs = DEFAULT_TIMEOUT_MS) => {
    asked += 1;
    // What the terminal echoes is not what the shell prints: the marks are put together there.
    const mark = (what: string): string => `echo "[edge""fab ${asked} ${what}]"`;
    const line = `(${command}) >${OUTPUT} 2>&1 </dev/null; ${mark('$?')}; base64 -w 0 ${OUTPUT}; ${mark('end')}\n`;
    if (Buffer.byteLength(line) > MAX_LINE_BYTES)
      throw new RangeError('the command is too long for a terminal');
    heard = '';
    connected().write(isUnanswered ? `${INTERRUPT}${line}` : line);
    isUnanswered = true;
    const answer = new RegExp(`\\[edgefab ${asked} (\\d+)\\]([A-Za-z0-9+/=\\s]*)\\[edgefab ${asked} end\\]`);
    for (let waitedMs = 0; waitedMs <= timeoutMs; waitedMs += STEP_MS) {
      const found = answer.exec(heard);
      if (found !== null) {
        isUnanswered = false;
        return { status: Number(found[1]), output: Buffer.from(found[2] ?? '', 'base64').toString('utf8') };
      }
      // The machine has ended, or was not there.
      if (socket?.destroyed !== false) return undefined;
      await host.sleep(STEP_MS);
    }
    return undefined;
  };
  let there = false;
  return {
    run,
    isThere: async () => {
      there ||= (await run('true', THERE_MS)) !== undefined;
      return there;
    },
    close: () => void socket?.destroy(),
  };
}
