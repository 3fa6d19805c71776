import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { fakeSysfs } from '../support/fake-sysfs.ts';
import { makeLoopDevice } from '../support/loop-disk.ts';
import { canMount } from '../support/small-disk.ts';
import { type StandIns, standIns } from '../support/stand-ins.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const SCRIPT = 'overlays/scripts/edgefab-coreos-installer.sh';
const TOOLS = ['mkfs.xfs', 'wipefs', 'unshare'];
const ready = canMount && haveTools(...TOOLS);

interface Machine {
  readonly disk: string;
  readonly partition: string;
  readonly mountPoint: string;
  readonly root: string;
  readonly sys: string;
  readonly programs: StandIns;
}

/** Opens a device as coreos-installer needs it; says what came of it. */
function openExclusively(device: string): string {
  try {
    closeSync(openSync(device, constants.O_RDONLY | constants.O_EXCL));
    return 'free';
  } catch (cause) {
    return (cause as NodeJS.ErrnoException).code ?? 'unknown';
  }
}

/** A disk whose one partition is XFS and mounted, as the cache is in the live system. */
function machine(): Machine {
  const root = tempFolder();
  const disk = makeLoopDevice([]);
  const partition = makeLoopDevice(['mkfs.xfs', '-q', '-f']);
  const mountPoint = join(root, 'cache');
  mkdirSync(mountPoint);
  execFileSync('mount', ['-o', 'ro', partition, mountPoint]);
  const programs = standIns();
  programs.add('systemctl');
  programs.add('udevadm');
  programs.add('edgefab-cache.sh', `[[ $1 == close ]] && umount '${mountPoint}'`);
  // The real one refuses a busy disk, so this one looks in the same way.
  programs.add(
    'real-installer',
    `printf '<%s>' "$@"; wipefs --no-act --all '${partition}' >/dev/null 2>&1 || exit 99; exit 7`,
  );
  return { disk, partition, mountPoint, root, sys: fakeSysfs(disk, [partition]), programs };
}

interface Run {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function environment(on: Machine): Record<string, string> {
  return {
    PATH: on.programs.path,
    EDGEFAB_REAL_INSTALLER: 'real-installer',
    EDGEFAB_CACHE_SCRIPT: 'edgefab-cache.sh',
    EDGEFAB_RELEASE_SECONDS: '1',
    EDGEFAB_RUN: join(on.root, 'run'),
    EDGEFAB_SYS: on.sys,
  };
}

function install(on: Machine, args: readonly string[], settings: Record<string, string> = {}): Run {
  return spawnSync('bash', [SCRIPT, ...args], {
    encoding: 'utf8',
    env: { ...environment(on), ...settings },
  });
}

const stock = (on: Machine): string[] => ['install', '-n', '-i', '/x y/master.ign', on.disk];
const statusOf = (on: Machine): string => readFileSync(join(on.root, 'run/release-cache.status'), 'utf8');
const mounted = (on: Machine): boolean => readFileSync('/proc/mounts', 'utf8').includes(` ${on.mountPoint} `);

describe.skipIf(!ready)(
  `the cache on the install disk is given back (needs root, a loop device and ${TOOLS.join(', ')})`,
  () => {
    test('a busy disk is free when coreos-installer runs, with the same arguments and exit status', () => {
      const on = machine();
      expect(openExclusively(on.partition)).toBe('EBUSY');
      const run = install(on, stock(on));
      expect([run.status, run.stdout]).toEqual([7, `<install><-n><-i></x y/master.ign><${on.disk}>`]);
      expect(openExclusively(on.partition)).toBe('free');
      expect(on.programs.calls().slice(0, 4)).toEqual([
        'systemctl stop --job-mode=ignore-dependencies edgefab-registry-v6.service',
        'systemctl stop --job-mode=ignore-dependencies edgefab-registry.service',
        'edgefab-cache.sh close',
        'udevadm settle --timeout=30',
      ]);
      expect(statusOf(on)).toMatch(/^released - nothing holds/);
      // What the drop-in of registry and cache looks for.
      expect(readFileSync(join(on.root, 'run/cache.released'), 'utf8')).toBe('');
    });

    test('nothing is unmounted for anything but install', () => {
      const on = machine();
      const lines = ['', '--version', 'list stream', 'iso show /dev/sr0', 'pxe install /dev/sda'];
      for (const line of lines) {
        const args = line === '' ? [] : line.split(' ');
        expect(install(on, args).stdout).toBe(args.length === 0 ? '<>' : `<${args.join('><')}>`);
      }
      expect(mounted(on)).toBe(true);
      expect(on.programs.calls().map((call) => call.trim())).toEqual(
        lines.map((line) => `real-installer ${line}`.trim()),
      );
    });

    test('an install to something that is no disk goes to coreos-installer as it is', () => {
      const on = machine();
      const run = install(on, ['install', '/dev/none-such']);
      expect([run.status, run.stdout]).toEqual([99, '<install></dev/none-such>']);
      expect(run.stderr).toContain('/dev/none-such is no disk');
      expect(mounted(on)).toBe(true);
    });

    test('a partition that stays mounted stops the install, by name', () => {
      const on = machine();
      on.programs.add('edgefab-cache.sh', 'exit 1');
      const run = install(on, stock(on));
      expect([run.status, run.stdout]).toEqual([1, '']);
      expect(run.stderr).toContain(`${on.partition} is mounted on ${on.mountPoint}`);
      expect(statusOf(on)).toBe(
        `stopped - ${on.disk} is still in use after 1 s, so the install cannot write to it: ${on.partition}\n`,
      );
    });

    test('a mount that only a process in another namespace still has is named by that process', async () => {
      const on = machine();
      const holder = spawn('unshare', ['--mount', '--propagation', 'private', 'bash', '-c', 'echo in; read']);
      onTestFinished(() => void holder.kill('SIGKILL'));
      await once(holder.stdout, 'data');
      const run = install(on, stock(on));
      expect(run.status).toBe(1);
      expect(mounted(on)).toBe(false);
      expect(run.stderr).toContain(`${on.partition} is mounted for process ${holder.pid} (bash)`);
    });

    test('an exclusive open and a holding device are named', () => {
      const on = machine();
      on.programs.add('edgefab-cache.sh', `umount '${on.mountPoint}'`);
      execFileSync('umount', [on.mountPoint]);
      const file = openSync(on.partition, constants.O_RDONLY | constants.O_EXCL);
      onTestFinished(() => closeSync(file));
      mkdirSync(join(on.sys, 'class/block', basename(on.partition), 'holders/dm-7'), { recursive: true });
      const run = install(on, stock(on));
      expect(run.status).toBe(1);
      expect(run.stderr).toContain(`${on.partition} is opened by process ${process.pid} (`);
      expect(run.stderr).toContain(`${on.partition} is held by the device dm-7`);
      expect(run.stderr).toContain('close failed');
    });

    test('swap is named', () => {
      const on = machine();
      const file = openSync(on.partition, constants.O_RDONLY);
      onTestFinished(() => closeSync(file));
      on.programs.add('edgefab-cache.sh', 'exit 1');
      const proc = tempFolder();
      mkdirSync(join(proc, 'self'));
      writeFileSync(
        join(proc, 'swaps'),
        `Filename Type Size Used Priority\n${on.partition} partition 1 0 -2\n`,
      );
      const run = install(on, stock(on), { EDGEFAB_PROC: proc });
      expect(run.stderr).toContain(`${on.partition} is used as swap`);
    });

    test('a holder that lets go in time does not stop the install', async () => {
      const on = machine();
      execFileSync('umount', [on.mountPoint]);
      const file = openSync(on.partition, constants.O_RDONLY | constants.O_EXCL);
      const child = spawn('bash', [SCRIPT, ...stock(on)], {
        env: { ...environment(on), EDGEFAB_RELEASE_SECONDS: '60' },
      });
      let talk = '';
      child.stderr.on('data', (chunk: Buffer) => {
        talk += chunk.toString();
      });
      child.stderr.once('data', () => {
        setTimeout(() => closeSync(file), 1500);
      });
      const [status] = await once(child, 'close');
      expect([status, talk]).toEqual([7, expect.stringContaining(`waiting for ${on.partition} to be free`)]);
    });
  },
);
