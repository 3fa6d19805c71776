import { appendFileSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import type { Host } from '../../../src/host/host.ts';
import { pcap } from './frames.ts';

/** A machine that was started, for its script to move. */
export interface FakeMachine {
  /** What QEMU was started with. */
  readonly args: readonly string[];
  /** Adds lines to its console. */
  say(...lines: readonly string[]): void;
  /** Ends it, as the guest does. */
  end(reason: 'guest-reset' | 'guest-shutdown'): void;
}

/** One start of the machine: what it does at once, and what its shell answers; undefined: nothing. */
export interface FakeStart {
  begin(machine: FakeMachine): void;
  answer(
    command: string,
    machine: FakeMachine,
  ): { readonly status: number; readonly output: string } | undefined;
}

/** Time goes this much faster than the clock on the wall. */
const HASTE = 60;

/** A host whose QEMU plays these starts one after the other, and whose time flies. */
export function fakeQemu(
  starts: readonly FakeStart[],
): Pick<Host, 'run' | 'sleep' | 'now'> & { readonly started: readonly FakeMachine[] } {
  const began = Date.now();
  const started: FakeMachine[] = [];
  return {
    started,
    now: () => new Date(began + (Date.now() - began) * HASTE),
    sleep: async (ms, signal) => {
      await delay(ms / HASTE, undefined, signal === undefined ? {} : { signal });
    },
    run: async (_program, args) => {
      const start = starts[started.length];
      if (start === undefined) throw new RangeError('the machine was started once more');
      const line = args.join('\n');
      const path = (pattern: RegExp): string => pattern.exec(line)?.[1] ?? '';
      const console = path(/file,id=console,path=(.*)/);
      writeFileSync(console, '');
      for (const [, file = ''] of line.matchAll(/filter-dump,.*file=(.*)/g)) writeFileSync(file, pcap([]));
      const sockets = new Set<Socket>();
      const events = new Set<Socket>();
      const servers: Server[] = [];
      const serve = async (at: string, connected: (socket: Socket) => void): Promise<void> => {
        const server = createServer((socket) => {
          sockets.add(socket.on('error', () => socket.destroy()));
          connected(socket);
        });
        servers.push(server);
        await new Promise<void>((resolve) => server.listen(at, resolve));
      };
      return await new Promise((resolve) => {
        const finish = (): void => {
          for (const server of servers) server.close();
          for (const socket of sockets) socket.end();
          resolve({ exitCode: 0, stdout: '', stderr: '' });
        };
        const machine: FakeMachine = {
          args,
          say: (...lines) => appendFileSync(console, lines.map((each) => `${each}\n`).join('')),
          end: (reason) => {
            for (const socket of events)
              socket.write(`{"event": "SHUTDOWN", "data": {"guest": true, "reason": "${reason}"}}\n`);
            finish();
          },
        };
        started.push(machine);
        void Promise.all([
          serve(path(/unix:(.*\/events),/), (socket) => void events.add(socket.resume())),
          serve(path(/unix:(.*\/control),/), (socket) =>
            socket.on('data', (bytes) => {
              socket.write('{"return":{"status":"running"},"id":"asked"}\n');
              if (bytes.includes('"quit"')) finish();
            }),
          ),
          serve(path(/socket,id=shell,path=(.*?),/), (socket) => answerLines(socket, start, machine)),
        ]).then(async () => {
          // Whoever listens for the end is there by then.
          while (events.size === 0) await delay(5);
          start.begin(machine);
        });
      });
    },
  };
}

function answerLines(socket: Socket, start: FakeStart, machine: FakeMachine): void {
  socket.on('data', (bytes) => {
    for (const line of bytes.toString('latin1').split('\n')) {
      const [, command = '', number] = /^\((.*)\) >\S+ 2>&1 .*"\[edge""fab (\d+) end\]"$/.exec(line) ?? [];
      if (number === undefined) continue;
      const answer = start.answer(command, machine);
      if (answer === undefined) continue;
      const output = Buffer.from(answer.output).toString('base64');
      socket.write(`[edgefab ${number} ${answer.status}]\r\n${output}[edgefab ${number} end]\r\n`);
    }
  });
}
