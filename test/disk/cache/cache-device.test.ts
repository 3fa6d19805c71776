import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type CacheDeviceOptions, withCacheDevice } from '../../../src/disk/cache/cache-device.ts';
import { findDevice, labelLookup } from '../../../src/disk/cache/labelled-devices.ts';
import { MAKE_XFS } from '../../../src/disk/cache/make-xfs.ts';
import { deviceNumbers, parseMountinfo } from '../../../src/disk/device/mounts.ts';
import { DEMO_REPOSITORIES, startDemoRegistry } from '../../../src/factory/demo/made-release.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { startFaultProxy } from '../../support/fault-proxy.ts';
import { makeLoopPartition } from '../../support/loop-disk.ts';
import { runEdgefab, runEdgefabJson } from '../../support/run-edgefab.ts';
import { canMount } from '../../support/small-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const TOOLS = ['sgdisk', 'losetup', 'mkfs.xfs', 'mkfs.ext4', 'blkid', 'mount', 'umount'];
const ready = canMount && haveTools(...TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs root, a loop device and ${TOOLS.join(', ')})`;
const XFS = [...MAKE_XFS.split(' '), '-q', '-L', 'edgefab'];

function mounted(device: string): string[] {
  return readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith(`${device} `));
}

/** Options of a test: mount points under a folder of its own. */
function options(): CacheDeviceOptions & { readonly mountRoot: string } {
  return { uid: 0, mountRoot: tempFolder() };
}

test('what is mounted is read out of mountinfo, but for parts of file systems', () => {
  const text = [
    '36 35 98:0 / /mnt/a\\040b rw,noatime master:1 - ext3 /dev/root rw,errors=continue',
    '37 35 98:0 /part /mnt/bind rw - ext3 /dev/root rw',
    '38 35 98:1 / /mnt/c rw - xfs /dev/sdb1 ro',
    '39 35 98:1 / /mnt/d ro - xfs /dev/sdb1 rw',
    '',
  ].join('\n');
  expect(parseMountinfo(text)).toEqual([
    { device: '98:0', folder: '/mnt/a b', readOnly: false },
    { device: '98:1', folder: '/mnt/c', readOnly: true },
    { device: '98:1', folder: '/mnt/d', readOnly: true },
  ]);
  expect(deviceNumbers(0x801n)).toBe('8:1');
  expect(deviceNumbers(0x10_3105n)).toBe('49:261');
});

test('only root may mount, and is told what else to do', async () => {
  await expect(
    withCacheDevice('edgefab', { uid: 1000 }, realHost, async () => undefined),
  ).rejects.toMatchObject({
    code: 'DEVICE_REFUSED',
    exitCode: 7,
    suggestions: [expect.stringContaining('sudo'), expect.stringContaining('--folder')],
  });
});

test.each<[string, readonly string[], string]>([
  ['no partition', [], 'DEVICE_UNKNOWN'],
  ['two partitions', ['/dev/sdb1', '/dev/sdc1'], 'DEVICE_REFUSED'],
])('%s with the label: refused', async (_, found, code) => {
  await expect(findDevice('edgefab', async () => found)).rejects.toMatchObject({ code, exitCode: 7 });
});

describe.skipIf(!ready)(`real partitions${skipped}`, () => {
  test.each([
    ['xfs', XFS],
    ['ext4', ['mkfs.ext4', '-q', '-L', 'edgefab']],
  ])('a %s partition is mounted for the work and unmounted after it', async (type, mkfs) => {
    const device = makeLoopPartition(mkfs);
    const given = options();
    const seen = await withCacheDevice(device, given, realHost, async (folder) => {
      writeFileSync(join(folder, 'kept'), 'kept');
      return mounted(device);
    });
    expect(seen).toEqual([
      expect.stringMatching(new RegExp(`^${device} ${given.mountRoot}/edgefab-cache-\\w+ ${type} .*noexec`)),
    ]);
    expect(mounted(device)).toEqual([]);
    expect(readdirSync(given.mountRoot)).toEqual([]);
    const kept = await withCacheDevice(device, given, realHost, async (folder) =>
      existsSync(join(folder, 'kept')),
    );
    expect(kept).toBe(true);
  });

  test('an XFS with features the node does not know is refused, with the command that makes another', async () => {
    const device = makeLoopPartition(['mkfs.xfs', '-q', '-m', 'bigtime=1', '-L', 'edgefab']);
    await expect(withCacheDevice(device, options(), realHost, async () => undefined)).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: expect.stringContaining('does not know: '),
      suggestions: [expect.stringContaining(`${MAKE_XFS} -f -L edgefab ${device}`)],
    });
    expect(mounted(device)).toEqual([]);
  });

  test('it is unmounted when the work fails, and the failure is what is told', async () => {
    const device = makeLoopPartition(XFS);
    const work = withCacheDevice(device, options(), realHost, async () => {
      throw new Error('the work failed');
    });
    await expect(work).rejects.toThrow('the work failed');
    expect(mounted(device)).toEqual([]);
  });

  test('it is found by its label, through blkid or the link udev makes', async () => {
    const device = makeLoopPartition(XFS);
    const links = tempFolder();
    expect(await labelLookup(realHost, links)('edgefab')).toEqual([device]);
    symlinkSync(device, join(links, 'other'));
    expect(await labelLookup(realHost, links)('other')).toEqual([device]);
    expect(await labelLookup(realHost, links)('absent')).toEqual([]);
    const twin = makeLoopPartition(['mkfs.ext4', '-q', '-L', 'edgefab']);
    await expect(
      withCacheDevice('edgefab', options(), realHost, async () => undefined),
    ).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: expect.stringContaining([device, twin].sort().join(', ')),
    });
  });

  test.each<[string, readonly string[], string]>([
    ['another label', ['mkfs.xfs', '-q', '-L', 'photos'], 'is not labelled edgefab'],
    ['no file system', [], 'is not labelled edgefab'],
    [
      'the wrong file system',
      ['mkfs.ext3', '-q', '-L', 'edgefab'],
      'has the file system ext3, want xfs or ext4',
    ],
  ])('one with %s is refused', async (_, mkfs, message) => {
    const device = makeLoopPartition(mkfs);
    await expect(withCacheDevice(device, options(), realHost, async () => undefined)).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      exitCode: 7,
      message: expect.stringContaining(message),
    });
  });

  test('one that is mounted read-only is refused; one mounted for writing is used there and stays', async () => {
    const device = makeLoopPartition(XFS);
    const point = tempFolder();
    execFileSync('mount', ['-o', 'ro', device, point]);
    await expect(withCacheDevice(device, options(), realHost, async () => undefined)).rejects.toMatchObject({
      message: `${device} is mounted read-only at ${point}`,
    });
    execFileSync('umount', [point]);
    execFileSync('mount', [device, point]);
    expect(await withCacheDevice(device, options(), realHost, async (folder) => folder)).toBe(point);
    expect(mounted(device)).toHaveLength(1);
    execFileSync('umount', [point]);
  });

  test('the mount of a killed run is taken over', async () => {
    const device = makeLoopPartition(XFS);
    const given = options();
    const left = join(given.mountRoot, 'edgefab-cache-left');
    mkdirSync(left);
    execFileSync('mount', [device, left]);
    expect(await withCacheDevice(device, given, realHost, async (folder) => folder)).toBe(left);
    expect(mounted(device)).toEqual([]);
    expect(readdirSync(given.mountRoot)).toEqual([]);
  });

  test('a disk still in use at the end is not said to be done', async () => {
    const device = makeLoopPartition(XFS);
    let stay: ReturnType<typeof spawn> | undefined;
    const work = withCacheDevice(device, options(), realHost, async (cwd) => {
      stay = spawn('sleep', ['60'], { cwd });
      await once(stay, 'spawn');
    });
    await expect(work).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      suggestions: [expect.stringContaining('Do not unplug the disk')],
    });
    stay?.kill();
    if (stay !== undefined) await once(stay, 'exit');
    execFileSync('umount', [device]);
  });

  test('precache --device fills it; a second run meanwhile is kept out; Ctrl-C unmounts', async () => {
    const device = makeLoopPartition(XFS);
    const folder = tempFolder();
    const { server, release } = await startDemoRegistry(join(folder, 'registry'));
    onTestFinished(() => server.close());
    let quiet = true;
    const proxy = await startFaultProxy(server.host, (path) =>
      quiet && path.includes('/blobs/') ? { kind: 'stall', afterBytes: 100_000 } : undefined,
    );
    const set = join(folder, 'imageset.yaml');
    const image = `${proxy.host}/${DEMO_REPOSITORIES.release}@${release}`;
    writeFileSync(
      set,
      `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  additionalImages:\n    - name: ${image}\n`,
    );
    const command = ['precache', set, '--device', device, '--insecure'];
    const child = spawn(process.execPath, ['bin/edgefab.js', ...command], { stdio: 'ignore' });
    for (let tries = 0; tries < 400 && !mounted(device).some((line) => hasPartial(line)); tries += 1)
      await delay(25);
    const [line = ''] = mounted(device);
    const point = line.split(' ')[1] ?? '';
    const second = await runEdgefab(['cache', 'gc', point]);
    expect([second.status, second.stderr]).toEqual([
      4,
      expect.stringMatching(
        new RegExp(`is in use: edgefab precache, process ${child.pid} on .* has been running for \\d+ s`),
      ),
    ]);
    child.kill('SIGINT');
    const [code] = (await once(child, 'exit')) as [number];
    expect(code).toBe(130);
    expect(mounted(device)).toEqual([]);
    expect(existsSync(point)).toBe(false);

    quiet = false;
    const resumed = await runEdgefabJson(command);
    expect([resumed.status, resumed.document]).toMatchObject([0, { cache: { state: 'complete' } }]);
    expect(mounted(device)).toEqual([]);
    const verified = await withCacheDevice(device, options(), realHost, (root) =>
      runEdgefab(['cache', 'verify', root]),
    );
    expect(verified.status).toBe(0);
  });
});

/** Tells whether the cache mounted there has begun to fetch; `line` is one of /proc/self/mounts. */
function hasPartial(line: string): boolean {
  const folder = join(line.split(' ')[1] ?? '', 'tmp');
  return existsSync(folder) && readdirSync(folder).some((name) => name.endsWith('.partial'));
}
