import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { COREOS_ENABLED, coreosFiles, type MachineFile } from './coreos-double.ts';
import type { RunResult } from './private-machine.ts';
import { tempFolder } from './temp-folder.ts';

/** What is put on a machine: files in their places, and the units to be enabled. */
export interface MachineContent {
  readonly files: readonly MachineFile[];
  readonly enabled: readonly string[];
}

/** A machine that booted with a real systemd, in namespaces of its own: only loopback is up. */
export interface CoreosMachine {
  run(...command: string[]): RunResult;
  /** The text of a file of the machine; empty when there is none. */
  text(path: string): string;
  write(path: string, text: string): void;
  /** How many packets went out on the way that leads nowhere. */
  sentAway(): number;
  /** What a unit has said so far. */
  journal(unit: string): string;
  /** One of a unit's properties, as `systemctl show` names it. */
  property(unit: string, name: string): string;
  /** Waits until a unit has the ActiveState; fails with what it said. */
  reached(unit: string, state: string, seconds?: number): Promise<void>;
}

interface LinkStatistics {
  readonly stats64: { readonly tx: { readonly packets: number } };
}

let count = 0;

function removeGroup(folder: string): void {
  if (!existsSync(folder)) return;
  const found = spawnSync('find', [folder, '-depth', '-type', 'd'], { encoding: 'utf8' }).stdout;
  for (const each of found.split('\n').filter((line) => line !== '')) rmdirSync(each);
}

/** Boots a machine; ended when the test is over. `partitions` are lines of device and label. */
export async function bootCoreos(
  { files, enabled }: MachineContent,
  partitions: readonly string[],
): Promise<CoreosMachine> {
  const root = tempFolder();
  // It is copied onto the machine's root, with its mode.
  chmodSync(root, 0o755);
  const put = (path: string, mode: number, bytes: Uint8Array | string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), bytes);
    chmodSync(join(root, path), mode);
  };
  for (const { path, mode, bytes } of [...coreosFiles(partitions), ...files]) put(path, mode, bytes);
  count += 1;
  const name = `edgefab-test-${process.pid}-${count}`;
  const child = spawn(
    'unshare',
    [
      '-mnpui',
      '--fork',
      '--kill-child',
      '--mount-proc',
      '--propagation=private',
      'bash',
      'test/support/coreos-boot.sh',
      root,
      name,
      ...COREOS_ENABLED,
      ...enabled,
    ],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => (said += String(part)));
  const ended = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGKILL');
    await ended;
    const groups = ['', 'systemd', 'unified'].map((part) => join('/sys/fs/cgroup', part, name));
    // Its processes end a moment after it.
    await until(() => {
      try {
        for (const group of groups) removeGroup(group);
        return true;
      } catch {
        return false;
      }
    }, 10);
  });
  const children = `/proc/${child.pid}/task/${child.pid}/children`;
  const first = (): string => (existsSync(children) ? readFileSync(children, 'utf8').trim() : '');
  const run = (...command: string[]): RunResult => {
    const into = [`--target=${first()}`, '--mount', '--net', '--pid', '--uts', '--ipc'];
    const { status, stdout, stderr } = spawnSync('nsenter', [...into, '--', ...command], {
      encoding: 'utf8',
      env: { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin' },
      maxBuffer: 1 << 26,
    });
    return { status, stdout, output: stdout + stderr };
  };
  const machine: CoreosMachine = {
    run,
    text: (path) => run('cat', path).stdout,
    write: (path, text) => void run('bash', '-c', 'printf %s "$2" >"$1"', 'write', path, text),
    sentAway: () => {
      const [link] = JSON.parse(
        run('ip', '-json', '-stats', 'link', 'show', 'wan').stdout,
      ) as LinkStatistics[];
      return link?.stats64.tx.packets ?? Number.NaN;
    },
    journal: (unit) => run('journalctl', '--quiet', '--no-pager', '--output=cat', `--unit=${unit}`).stdout,
    property: (unit, key) => run('systemctl', 'show', '--value', `--property=${key}`, unit).stdout.trim(),
    reached: async (unit, state, seconds = 60) => {
      const come = await until(() => machine.property(unit, 'ActiveState') === state, seconds);
      if (come) return;
      const now = machine.run('systemctl', 'list-units', '--all', '--no-pager', 'edgefab*', unit).stdout;
      const jobs = machine.run('systemctl', 'list-jobs', '--no-pager').stdout;
      throw new Error(
        `${unit} did not become ${state} within ${seconds} s\n${now}\n${jobs}\n${run('journalctl', '--quiet', '--no-pager', '-n', '80').stdout}\n${said}`,
      );
    },
  };
  const up = await until(() => child.exitCode !== null || run('systemctl', 'list-jobs').status === 0, 20);
  if (!up || child.exitCode !== null) throw new Error(`the machine did not boot: ${said}`);
  return machine;
}

/** Looks again and again; tells whether it became true in time. */
export async function until(look: () => boolean, seconds: number): Promise<boolean> {
  const end = Date.now() + seconds * 1000;
  while (!look()) {
    if (Date.now() > end) return false;
    await delay(100);
  }
  return true;
}

/** Whether such machines can be booted here: root, namespaces, and a systemd that runs in them. */
export const HAS_COREOS_DOUBLE =
  existsSync('/usr/lib/systemd/systemd') &&
  existsSync('/usr/lib/systemd/systemd-journald') &&
  spawnSync('unshare', ['-mnpuiC', '--fork', '--mount-proc', 'setpriv', '--bounding-set=-sys_boot', 'true'])
    .status === 0;
