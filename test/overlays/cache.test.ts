import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { RegistrySettings } from '../../src/boot/patch/registry-settings.ts';
import type { LoopPartition } from '../support/loop-disk.ts';
import { HAS_NAMESPACES } from '../support/private-machine.ts';
import { CACHE_ID, writeCacheFile } from '../support/registry-cache.ts';
import { openRegistryMachine, type RegistryMachine } from '../support/registry-machine.ts';
import { canMount } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';
import { openXfsCache } from '../support/xfs-cache.ts';

const TOOLS = ['sgdisk', 'losetup', 'mkfs.xfs', 'openssl', 'unshare', 'nsenter'];
const ready = canMount && HAS_NAMESPACES && haveTools(...TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs root, namespaces, ${TOOLS.join(', ')})`;

const HEX = 'a'.repeat(64);
const SETTINGS: RegistrySettings = {
  port: 22626,
  cacheLabel: 'edgefab',
  cacheId: CACHE_ID,
  tool: { reference: `docker.io/library/registry@sha256:${HEX}`, view: 'views/dir/registry' },
  releaseImage: `quay.io/made-up/release@sha256:${HEX}`,
  keepOnNode: true,
  buildTime: new Date('2026-11-21T10:00:00Z'),
};

describe.skipIf(!ready)(`edgefab-cache.sh on real XFS disks (lsblk is a stand-in)${skipped}`, () => {
  const disks: LoopPartition[] = [];
  /** A disk with the wanted cache, its twin, one of another id, and one without an id file. */
  let [wanted, twin, foreign, stranger] = ['', '', '', ''];
  beforeAll(() => {
    const folder = execFileSync('mktemp', ['-d'], { encoding: 'utf8' }).trim();
    const disk = (): string => {
      const opened = openXfsCache(folder);
      disks.push(opened);
      return opened.device;
    };
    stranger = disk();
    writeCacheFile(folder);
    wanted = disk();
    twin = disk();
    writeCacheFile(folder, 'f'.repeat(32));
    foreign = disk();
    execFileSync('rm', ['-r', folder]);
  });
  afterAll(() => {
    for (const { close } of disks) close();
  });

  const open = (machine: RegistryMachine) => machine.script('edgefab-cache.sh', ['open']);
  const status = (machine: RegistryMachine): string => machine.text('/run/edgefab/cache.status');
  const source = (machine: RegistryMachine): string => machine.text('/run/edgefab/cache.source');
  const mounts = (machine: RegistryMachine): string[] =>
    machine
      .text('/proc/mounts')
      .split('\n')
      .filter((line) => line.includes(' /run/edgefab/cache '));

  test('opens the one with the id among others with the label, and closes it', async () => {
    const machine = await openRegistryMachine(SETTINGS, [stranger, foreign, wanted]);
    expect(open(machine)).toMatchObject({ status: 0 });
    expect(source(machine)).toBe(`disk ${wanted}\n`);
    expect(mounts(machine)).toEqual([
      expect.stringMatching(new RegExp(`^${wanted} /run/edgefab/cache xfs ro,nosuid,nodev,noexec`)),
    ]);
    // A second time nothing is mounted over it.
    expect(open(machine)).toMatchObject({ status: 0, output: expect.stringContaining('open already') });
    expect(mounts(machine)).toHaveLength(1);
    expect(machine.script('edgefab-cache.sh', ['close'])).toMatchObject({ status: 0 });
    expect([mounts(machine), source(machine)]).toEqual([[], '']);
    expect(status(machine)).toMatch(/^closed - /);
    // And closing what is closed is no fault.
    expect(machine.script('edgefab-cache.sh', ['close'])).toMatchObject({ status: 0 });
  });

  test.each([
    ['no disk', () => [], /^stopped - no partition labelled edgefab .*plug in the cache disk/],
    ['another id', () => [foreign], /holds the cache f{32}: plug in/],
    ['no id file', () => [stranger], /holds no cache: plug in/],
    ['two disks', () => [wanted, twin], /^stopped - more than one cache disk: \S+ \S+: unplug all but one/],
  ])('stops at %s, says so, and leaves nothing mounted', async (_name, plugged, message) => {
    const devices = plugged();
    const machine = await openRegistryMachine(SETTINGS, devices);
    expect(open(machine).status).toBe(2);
    expect(status(machine)).toMatch(message);
    if (devices.length > 0) for (const device of devices) expect(status(machine)).toContain(device);
    expect([mounts(machine), source(machine)]).toEqual([[], '']);
  });

  test('takes any cache when no id is wanted', async () => {
    const machine = await openRegistryMachine({ ...SETTINGS, cacheId: undefined }, [foreign]);
    expect(open(machine)).toMatchObject({ status: 0 });
    expect(source(machine)).toBe(`disk ${foreign}\n`);
  });

  test('prefers a whole copy on the machine, read-only', async () => {
    const machine = await openRegistryMachine(SETTINGS, [wanted, twin]);
    const copy = tempFolder();
    writeCacheFile(copy);
    machine.run(['cp', '-a', `${copy}/.`, '/var/lib/edgefab/cache/']);
    machine.run(['cp', '-a', copy, '/var/lib/edgefab/cache']);
    expect(open(machine)).toMatchObject({ status: 0 });
    expect(source(machine)).toBe('node /var/lib/edgefab/cache\n');
    expect(mounts(machine)).toEqual([
      expect.stringMatching(/ \/run\/edgefab\/cache tmpfs ro,nosuid,nodev,noexec/),
    ]);
    expect(machine.run(['touch', '/run/edgefab/cache/x']).status).not.toBe(0);
    // The copy itself can still be written by whoever renews it.
    expect(machine.run(['touch', '/var/lib/edgefab/cache/x'])).toMatchObject({ status: 0 });
  });

  test.each([
    ['without an id file', undefined],
    ['of another cache', 'e'.repeat(32)],
  ])('passes over a copy %s', async (_name, id) => {
    const machine = await openRegistryMachine(SETTINGS, [wanted]);
    const copy = tempFolder();
    if (id !== undefined) writeCacheFile(copy, id);
    machine.run(['cp', '-a', copy, '/var/lib/edgefab/cache']);
    expect(open(machine)).toMatchObject({ status: 0 });
    expect(source(machine)).toBe(`disk ${wanted}\n`);
  });

  test('mounts a write-protected disk whose log is dirty', async () => {
    const folder = tempFolder();
    const mountPoint = join(folder, 'mnt');
    const image = join(folder, 'pulled.img');
    mkdirSync(mountPoint);
    execFileSync('mount', [wanted, mountPoint]);
    // As if the plug had been pulled: the last change is in the log only. The disk itself is mended by umount.
    writeFileSync(join(mountPoint, 'late'), 'x');
    execFileSync('sync', ['-f', mountPoint]);
    execFileSync('cp', ['--sparse=always', wanted, image]);
    execFileSync('umount', [mountPoint]);
    const pulled = execFileSync('losetup', ['-r', '-f', '--show', image], { encoding: 'utf8' }).trim();
    onTestFinished(() => {
      spawnSync('losetup', ['-d', pulled]);
    });
    const machine = await openRegistryMachine(SETTINGS, [pulled]);
    expect(open(machine)).toMatchObject({ status: 0 });
    expect(mounts(machine)[0]).toContain('norecovery');
  });

  test('explains sectors that a file system was not made for', async () => {
    const { device, close } = openXfsCache();
    onTestFinished(close);
    execFileSync('losetup', ['-b', '4096', device]);
    const machine = await openRegistryMachine(SETTINGS, [device]);
    expect(open(machine).status).toBe(2);
    expect(status(machine)).toContain(
      `${device} cannot be mounted: it was written on a disk with sectors of 512 bytes, this disk or its adapter has 4096`,
    );
  });

  test('explains partitions that an adapter with other sectors hides', async () => {
    const folder = tempFolder();
    const image = join(folder, 'disk.img');
    writeFileSync(image, '');
    truncateSync(image, 16 * 1024 * 1024);
    execFileSync('sgdisk', ['-n', '1:2048:0', '-c', '1:edgefab', image], { stdio: 'ignore' });
    const disk = execFileSync('losetup', ['-b', '4096', '-f', '--show', image], { encoding: 'utf8' }).trim();
    onTestFinished(() => {
      spawnSync('losetup', ['-d', disk]);
    });
    const machine = await openRegistryMachine(SETTINGS, []);
    machine.standIn('lsblk', `if [[ $1 == -d* ]]; then echo ${disk}; fi`);
    expect(open(machine).status).toBe(2);
    expect(status(machine)).toContain(
      `${disk} has partitions for sectors of 512 bytes and shows sectors of 4096`,
    );
  });

  test('notes a cache that was written on a disk of other sectors', async () => {
    const folder = tempFolder();
    writeCacheFile(folder);
    execFileSync('sed', [
      '-i',
      's/"sectorSize": 512/"sectorSize": 4096/',
      join(folder, 'edgefab-cache.json'),
    ]);
    const { device, close } = openXfsCache(folder);
    onTestFinished(close);
    const machine = await openRegistryMachine(SETTINGS, [device]);
    expect(open(machine)).toMatchObject({
      status: 0,
      output: expect.stringContaining(`written on a disk with sectors of 4096 bytes, ${device} has 512`),
    });
  });

  test('gives the mount its label where SELinux is (mount is a stand-in)', async () => {
    const machine = await openRegistryMachine(SETTINGS, [wanted]);
    machine.run(['mkdir', '-p', '/run/selinux']);
    machine.run(['touch', '/run/selinux/enforce']);
    machine.standIn('mount', 'echo "$*" >>/run/mount.args; exit 1');
    machine.script('edgefab-cache.sh', ['open'], { EDGEFAB_SELINUX: '/run/selinux' });
    const label = 'context=system_u:object_r:container_file_t:s0';
    expect(machine.text('/run/mount.args').split('\n').slice(0, 2)).toEqual([
      `-o ro,nodev,nosuid,noexec,${label} ${wanted} /run/edgefab/cache`,
      `-o ro,norecovery,nodev,nosuid,noexec,${label} ${wanted} /run/edgefab/cache`,
    ]);
  });
});
