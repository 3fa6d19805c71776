import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';

export interface RunResult {
  readonly status: number | null;
  readonly stdout: string;
  /** Both streams, standard output first. */
  readonly output: string;
}

/** A machine of its own as far as mounts, processes and network go: only loopback is up. */
export interface PrivateMachine {
  run(command: readonly string[], env?: Readonly<Record<string, string>>): RunResult;
  /** Starts a program that goes on; gives what it has said so far, and ends it. */
  start(command: readonly string[], env?: Readonly<Record<string, string>>): Service;
  /** Ends all that runs in it, and with that all its mounts. */
  close(): Promise<void>;
}

export interface Service {
  output(): string;
  /** As systemd stops a unit's main process. Resolves with the exit status. */
  stop(): Promise<number | null>;
}

/** Whether this machine lets a test have namespaces of its own. */
export const HAS_NAMESPACES =
  spawnSync('unshare', ['-mnp', '--fork', '--mount-proc', 'ip', 'link', 'set', 'lo', 'up']).status === 0;

/** Signals the program inside: nsenter waits for its child and hands no signal on. */
function signal(nsenter: number | undefined, name: string): void {
  const path = `/proc/${nsenter}/task/${nsenter}/children`;
  const inner = existsSync(path) ? readFileSync(path, 'utf8').trim() : '';
  if (inner !== '') spawnSync('kill', [`-${name}`, ...inner.split(' ')]);
}

export async function openPrivateMachine(): Promise<PrivateMachine> {
  const script = 'ip link set lo up && echo up && exec sleep infinity';
  const holder = spawn(
    'unshare',
    ['-mnp', '--fork', '--kill-child', '--mount-proc', '--propagation', 'private', 'sh', '-c', script],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  await once(holder.stdout, 'data');
  const first = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim();
  const enter = (command: readonly string[]): string[] => [
    'nsenter',
    `--target=${first}`,
    '--mount',
    '--net',
    '--pid',
    `--wd=${process.cwd()}`,
    '--',
    ...command,
  ];
  return {
    run: (command, env = {}) => {
      const [program = '', ...args] = enter(command);
      const { status, stdout, stderr } = spawnSync(program, args, {
        encoding: 'utf8',
        env: { PATH: process.env.PATH ?? '', ...env },
      });
      return { status, stdout, output: stdout + stderr };
    },
    start: (command, env = {}) => {
      const [program = '', ...args] = enter(command);
      const child = spawn(program, args, {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: { PATH: process.env.PATH ?? '', ...env },
      });
      let text = '';
      for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (text += String(part)));
      const exit = once(child, 'exit');
      return {
        output: () => text,
        stop: async () => {
          signal(child.pid, 'TERM');
          const late = setTimeout(() => signal(child.pid, 'KILL'), 5000);
          if (child.exitCode === null && child.signalCode === null) await exit;
          clearTimeout(late);
          return child.exitCode;
        },
      };
    },
    close: async () => {
      const exit = once(holder, 'exit');
      holder.kill('SIGKILL');
      await exit;
    },
  };
}
