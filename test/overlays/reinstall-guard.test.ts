import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fakeSysfs } from '../support/fake-sysfs.ts';
import { makeLoopDevice } from '../support/loop-disk.ts';
import { canMount } from '../support/small-disk.ts';
import { type StandIns, standIns } from '../support/stand-ins.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const TOOLS = ['mkfs.ext4', 'blkid', 'sha256sum'];
const ready = canMount && haveTools(...TOOLS);
const BUILD = 'b0a1';

interface Machine {
  readonly disk: string;
  readonly boot: string;
  readonly root: string;
  readonly env: Record<string, string>;
}

/** A disk with a boot file system, as coreos-installer leaves it. */
function machine(label = 'boot'): Machine {
  const root = tempFolder();
  const disk = makeLoopDevice([]);
  const boot = makeLoopDevice(['mkfs.ext4', '-q', '-F', '-L', label]);
  writeFileSync(join(root, 'cmdline'), 'BOOT_IMAGE=/images/pxeboot/vmlinuz edgefab.reinstall=10 quiet\n');
  writeFileSync(join(root, 'done'), '');
  writeFileSync(
    join(root, 'install-to-disk.sh'),
    `echo "Executing coreos-installer with: install -i x /dev/zero"\n  coreos-installer install -n -i /opt/openshift/master.ign --save-partlabel 'edgefab-node' ${disk}\n`,
  );
  const env = {
    PATH: process.env.PATH ?? '',
    EDGEFAB_BUILD_ID: BUILD,
    EDGEFAB_INSTALL_DISK: '',
    EDGEFAB_GUARD_SECONDS: '0',
    EDGEFAB_CMDLINE: join(root, 'cmdline'),
    EDGEFAB_INSTALL_SCRIPT: join(root, 'install-to-disk.sh'),
    EDGEFAB_INSTALL_DONE: join(root, 'done'),
    EDGEFAB_RUN: join(root, 'run'),
    EDGEFAB_SYS: fakeSysfs(disk, [boot]),
    EDGEFAB_LOCATION: 'usb',
    SERVICE_RESULT: 'success',
  };
  return { disk, boot, root, env };
}

interface Run {
  readonly status: number | null;
  readonly said: string;
}

function run(script: string, name: string, on: Machine, settings: Record<string, string>): Run {
  const { status, stderr } = spawnSync('bash', [`overlays/scripts/${script}`], {
    encoding: 'utf8',
    env: { ...on.env, ...settings },
  });
  expect(stderr.replaceAll(/^edgefab: .*\n/gm, '')).toBe('');
  return { status, said: readFileSync(join(on.root, `run/${name}.status`), 'utf8').trim() };
}
const guard = (on: Machine, settings: Record<string, string> = {}): Run =>
  run('edgefab-reinstall-guard.sh', 'reinstall-guard', on, settings);
const afterInstall = (on: Machine, settings: Record<string, string> = {}): Run =>
  run('edgefab-after-install.sh', 'after-install', on, settings);

/** Puts a mark of any content on the boot file system. */
function mark(on: Machine, content: string | Uint8Array): void {
  const folder = tempFolder();
  execFileSync('mount', [on.boot, folder]);
  try {
    mkdirSync(join(folder, 'edgefab'), { recursive: true });
    writeFileSync(join(folder, 'edgefab/installed'), content);
  } finally {
    execFileSync('umount', [folder]);
  }
}

describe.skipIf(!ready)(`the reinstall guard (needs root, a loop device and ${TOOLS.join(', ')})`, () => {
  test('stops when this build was written before, says how to go on, and writes nothing', () => {
    const on = machine();
    expect(guard(on)).toEqual({ status: 0, said: `ok - ${on.disk} holds no finished edgefab install` });
    expect(afterInstall(on).status).toBe(0);

    const bytes = (): string => execFileSync('sha256sum', [on.boot], { encoding: 'utf8' });
    const before = bytes();
    const stopped = guard(on);
    expect(stopped.status).toBe(1);
    expect(stopped.said).toMatch(
      new RegExp(
        `^stopped - STOPPED: ${on.disk} holds the install of this very build \\(${BUILD}, written 20`,
      ),
    );
    expect(stopped.said).toContain('unplug the boot stick and restart');
    expect(stopped.said).toContain('add edgefab.reinstall=1');
    expect(bytes()).toBe(before);
  });

  test('goes on with the kernel argument', () => {
    const on = machine();
    mark(on, `build=${BUILD}\n`);
    writeFileSync(join(on.root, 'cmdline'), 'quiet edgefab.reinstall=1\n');
    expect(guard(on)).toEqual({ status: 0, said: expect.stringContaining('will be overwritten') });
  });

  test.each([
    [
      'another build',
      `build=${BUILD}0\ntime=2026-01-01T00:00:00Z\n`,
      /holds another build \(b0a10, written 2026-01-01/,
    ],
    ['a mark of nothing', '', /holds no finished edgefab install/],
    ['a mark of zero bytes', Buffer.alloc(100_000), /holds no finished/],
    ['a build id that is a command', 'build=$(reboot)\n', /holds no finished/],
    ['the build id only inside a longer line', `x build=${BUILD}\n`, /holds no finished/],
  ])('goes on with %s on the disk', (_name, content, said) => {
    const on = machine();
    mark(on, content);
    expect(guard(on)).toEqual({ status: 0, said: expect.stringMatching(said) });
  });

  test('looks only at file systems labelled boot', () => {
    const on = machine('root');
    mark(on, `build=${BUILD}\n`);
    expect(guard(on).status).toBe(0);
  });

  test('goes on when the file system does not mount', () => {
    const on = machine();
    mark(on, `build=${BUILD}\n`);
    const folder = tempFolder();
    execFileSync('debugfs', ['-w', '-R', 'ssv inode_size 3', on.boot], { stdio: 'ignore' });
    expect(spawnSync('mount', [on.boot, folder]).status).not.toBe(0);
    expect(guard(on).status).toBe(0);
  });

  test.each([
    ['is not there', '/dev/none-such', /is not there/],
    ['is a folder', '/dev/shm', /is not there/],
  ])('goes on when the install disk %s', (_name, disk, said) => {
    const on = machine();
    expect(guard(on, { EDGEFAB_INSTALL_DISK: disk })).toEqual({
      status: 0,
      said: expect.stringMatching(said),
    });
  });

  test('goes on without a build id', () => {
    const on = machine();
    mark(on, 'build=\n');
    expect(guard(on, { EDGEFAB_BUILD_ID: '' })).toEqual({
      status: 0,
      said: expect.stringContaining('no build id'),
    });
  });

  test('goes on when nothing names the install disk', () => {
    const on = machine();
    writeFileSync(join(on.root, 'install-to-disk.sh'), 'true\n');
    expect(guard(on).said).toContain('it is not known which disk');
  });
});

/** An efibootmgr with a memory of its own; `takes` is whether it makes entries. */
function efibootmgr(programs: StandIns, state: string, takes: boolean): void {
  programs.add(
    'efibootmgr',
    `case "$*" in
      '') cat '${state}' ;;
      *--delete-bootnum) sed -i "/^Boot$3/d; s/\\b$3,\\?//" '${state}' ;;
      *--create*) ${takes ? '' : 'exit 5;'} sed -i 's/^BootOrder: /BootOrder: 0009,/' '${state}'
        printf 'Boot0009* edgefab install\\tHD(2,GPT)/File(%s)\\n' "$8" >>'${state}' ;;
      *) exit 64 ;;
    esac`,
  );
}

describe.skipIf(!ready)(`after the install (needs root, a loop device and ${TOOLS.join(', ')})`, () => {
  const UEFI =
    'BootCurrent: 0001\nBootOrder: 0001,0004\nBoot0001* UEFI: USB stick\tPciRoot\nBoot0004* edgefab install\tHD(old)\nBoot0005* edgefab installer\tHD(other)\n';

  /** A machine started by UEFI whose one partition is (also) the EFI system partition. */
  function uefi(takes = true): Machine & { state: string; calls: () => string[] } {
    const on = machine();
    const programs = standIns();
    const state = join(on.root, 'efi');
    writeFileSync(state, UEFI);
    efibootmgr(programs, state, takes);
    // Loop devices that only begin where a partition does have no entry in a table.
    programs.add(
      'blkid',
      `[[ "$*" == *PART_ENTRY_TYPE* ]] && { echo c12a7328-f81f-11d2-ba4b-00a0c93ec93b; exit; }\nexec /usr/sbin/blkid "$@"`,
    );
    mkdirSync(join(on.env.EDGEFAB_SYS ?? '', 'firmware/efi'), { recursive: true });
    const env = { ...on.env, PATH: programs.path, EDGEFAB_MACHINE: 'x86_64' };
    return { ...on, env, state, calls: () => programs.calls().filter((call) => call.startsWith('efi')) };
  }

  test('the firmware starts the disk first, and our entry of an earlier install is gone', () => {
    const on = uefi();
    const { status, said } = afterInstall(on);
    expect([status, said]).toEqual([
      0,
      `done - build ${BUILD} is on ${on.disk}; the firmware starts ${on.disk} first from now on; leave the cache disk plugged in`,
    ]);
    expect(readFileSync(on.state, 'utf8')).toBe(
      'BootCurrent: 0001\nBootOrder: 0009,0001,\nBoot0001* UEFI: USB stick\tPciRoot\nBoot0005* edgefab installer\tHD(other)\nBoot0009* edgefab install\tHD(2,GPT)/File(\\EFI\\BOOT\\BOOTX64.EFI)\n',
    );
    expect(on.calls()).toContain(
      `efibootmgr --quiet --create --disk ${on.disk} --part 1 --loader \\EFI\\BOOT\\BOOTX64.EFI --label edgefab install`,
    );
  });

  test('a firmware that takes no entry costs the mark nothing', () => {
    const on = uefi(false);
    expect(afterInstall(on)).toEqual({
      status: 0,
      said: expect.stringContaining('did not take a boot entry'),
    });
    expect(guard(on).status).toBe(1);
  });

  test.each([
    ['a machine of another kind', { EDGEFAB_MACHINE: 's390x' }, /what this kind of machine starts/],
    ['no UEFI', {}, /did not start by UEFI/],
  ])('%s is said', (_name, settings, said) => {
    const on = 'EDGEFAB_MACHINE' in settings ? uefi() : machine();
    expect(afterInstall(on, settings as Record<string, string>)).toEqual({
      status: 0,
      said: expect.stringMatching(said),
    });
  });

  test.each([
    ['failed', { SERVICE_RESULT: 'exit-code' }],
    ['was stopped before its end', { EDGEFAB_INSTALL_DONE: '/dev/null/done' }],
  ])('an install that %s leaves no mark', (_name, settings) => {
    const on = machine();
    const { status, stdout } = spawnSync('bash', ['overlays/scripts/edgefab-after-install.sh'], {
      encoding: 'utf8',
      env: { ...on.env, ...settings },
    });
    expect([status, stdout]).toEqual([0, expect.stringContaining('no mark is left')]);
    expect(guard(on).status).toBe(0);
  });

  test('a disk without a boot file system is told to the technician', () => {
    const on = machine('other');
    expect(afterInstall(on)).toEqual({
      status: 1,
      said: expect.stringMatching(
        /^stopped - .*the mark for that could not be written: unplug the boot stick/,
      ),
    });
  });

  test('nothing stays mounted', () => {
    const on = machine();
    afterInstall(on);
    guard(on);
    expect(readFileSync('/proc/mounts', 'utf8')).not.toContain(basename(on.boot));
  });
});
