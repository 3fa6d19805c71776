import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream, readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { withCacheDevice } from '../../src/disk/cache-device.ts';
import { loadTableBackup } from '../../src/disk/partition-backup.ts';
import type { PartitionOptions, PartitionPlan } from '../../src/disk/partition-change.ts';
import { partitionDisk } from '../../src/disk/partition-disk.ts';
import { type PartitionWish, planPartition, ROOT_BYTES } from '../../src/disk/partition-plan.ts';
import { restoreTable } from '../../src/disk/partition-restore.ts';
import { retryInstall } from '../../src/disk/partition-retry.ts';
import { readTable } from '../../src/disk/partition-table.ts';
import type { GptReading } from '../../src/formats/gpt.ts';
import type { Host } from '../../src/host/host.ts';
import { realHost } from '../../src/host/real-host.ts';
import { canMount } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';
import { makeWholeDisk, type WholeDisk } from '../support/whole-disk.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const TOOLS = [
  'sgdisk',
  'losetup',
  'mkfs.xfs',
  'mkfs.ext4',
  'xfs_repair',
  'blkid',
  'wipefs',
  'partx',
  'mount',
  'umount',
];
const ready = canMount && haveTools(...TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs root, a loop device and ${TOOLS.join(', ')})`;

const DISK: PartitionWish = { number: 1, label: 'edgefab', size: { percent: 100 }, place: 'disk' };
const TARGET: PartitionWish = {
  number: 5,
  label: 'edgefab-node',
  size: { bytes: 320 * MiB },
  place: 'target',
};

describe('where the partition goes', () => {
  test.each<[string, number, number, Partial<PartitionWish>, number, number]>([
    ['a whole disk', 512, GiB, {}, MiB, 1022 * MiB],
    ['a whole disk of 4096-byte sectors', 4096, GiB, {}, MiB, 1022 * MiB],
    ['a disk of an odd size', 512, GiB + 12345 * 512, {}, MiB, 1029 * MiB],
    ['a part', 512, GiB, { size: { percent: 50 } }, MiB, 511 * MiB],
    ['a size, in whole MiB', 512, GiB, { size: { bytes: 400 * MiB + 1 } }, MiB, 400 * MiB],
    [
      'the end of a target',
      512,
      1000 * GiB,
      { place: 'target', size: { bytes: 250 * GiB } },
      750 * GiB - MiB,
      250 * GiB,
    ],
    [
      'the end of a target of 4096-byte sectors',
      4096,
      1000 * GiB,
      { place: 'target', size: { bytes: 250 * GiB } },
      750 * GiB - MiB,
      250 * GiB,
    ],
    [
      'a target with just enough',
      512,
      ROOT_BYTES + GiB + 2 * MiB,
      { place: 'target', size: { bytes: GiB } },
      ROOT_BYTES + MiB,
      GiB,
    ],
    [
      'an image that ends where it begins',
      512,
      200 * GiB,
      { place: 'target', size: { bytes: GiB }, imageBytes: 199 * GiB - MiB },
      199 * GiB - MiB,
      GiB,
    ],
  ])('%s', (_, sectorBytes, sizeBytes, change, offset, length) => {
    const planned = planPartition({ sectorBytes, sizeBytes }, { ...DISK, ...change });
    expect([planned.firstLba * sectorBytes, (planned.lastLba - planned.firstLba + 1) * sectorBytes]).toEqual([
      offset,
      length,
    ]);
  });

  test.each<[string, number, Partial<PartitionWish>, RegExp, RegExp]>([
    [
      'larger than the disk',
      GiB,
      { size: { bytes: 2 * GiB } },
      /is to have 2147483648 bytes, the disk has room for 1071644672/,
      /smaller --size/,
    ],
    [
      'smaller than an XFS',
      GiB,
      { size: { bytes: 100 * MiB } },
      /would have 104857600 bytes/,
      /larger --size/,
    ],
    ['a disk smaller than an XFS', 64 * MiB, {}, /would have \d+ bytes/, /larger disk/],
    ['no disk at all', 0, {}, /would have 0 bytes/, /larger disk/],
    [
      'too little left for the node',
      300 * GiB,
      { place: 'target', size: { bytes: 250 * GiB } },
      /5368\d+ bytes would be left for the node, want at least 128849018880/,
      /at most 179GiB/,
    ],
    [
      'a target without room for both',
      100 * GiB,
      { place: 'target', size: { bytes: 50 * GiB } },
      /would be left/,
      /cache\.location: usb/,
    ],
    [
      'the image would not fit',
      400 * GiB,
      { place: 'target', size: { bytes: 250 * GiB }, imageBytes: 151 * GiB },
      /image takes 162135015424 bytes, the partition would begin at/,
      /smaller/,
    ],
  ])('%s: refused with the numbers', (_, sizeBytes, change, message, suggestion) => {
    expect(() => planPartition({ sectorBytes: 512, sizeBytes }, { ...DISK, ...change })).toThrow(
      expect.objectContaining({
        code: 'SPACE_SHORT',
        message: expect.stringMatching(message),
        suggestions: expect.arrayContaining([expect.stringMatching(suggestion)]),
      }),
    );
  });
});

function options(
  disk: WholeDisk | undefined,
  change: Partial<PartitionOptions> = {},
): PartitionOptions & { lookup: () => Promise<string[]> } {
  const confirmed = disk === undefined ? [] : [`${basename(disk.device)}:${disk.sizeBytes}`];
  return {
    consent: { yes: true, wipe: confirmed.length > 0, confirmed },
    dryRun: false,
    backupFile: join(tempFolder(), 'table.json'),
    lookup: async () => [],
    ...change,
  };
}

async function tableOf({ device, sizeBytes, sectorBytes }: WholeDisk): Promise<GptReading> {
  execFileSync('blockdev', ['--flushbufs', device]);
  return await readTable({ path: device, realPath: device, sizeBytes, logicalSectorBytes: sectorBytes });
}

/** Hashes a part of a disk as it is on the medium. */
async function hashOf({ device, image, sizeBytes }: WholeDisk, start = 0, end = sizeBytes): Promise<string> {
  execFileSync('blockdev', ['--flushbufs', device]);
  const hash = createHash('sha256');
  await pipeline(createReadStream(image, { start, end: end - 1, highWaterMark: 4 * MiB }), hash);
  return hash.digest('hex');
}

/** A loop device over one partition, whatever the kernel shows of it. */
function loopOver(disk: WholeDisk, { firstLba, lastLba }: { firstLba: number; lastLba: number }): string {
  const loop = execFileSync(
    'losetup',
    [
      '-f',
      '--show',
      '-o',
      String(firstLba * disk.sectorBytes),
      '--sizelimit',
      String((lastLba - firstLba + 1) * disk.sectorBytes),
      '--sector-size',
      String(disk.sectorBytes),
      disk.image,
    ],
    { encoding: 'utf8' },
  ).trim();
  onTestFinished(() => {
    spawnSync('umount', ['-A', loop], { stdio: 'ignore' });
    spawnSync('losetup', ['-d', loop], { stdio: 'ignore' });
  });
  return loop;
}

/** The real host, but for one program. */
function hostWith(program: string, instead: Host['run']): Pick<Host, 'run' | 'sleep' | 'now'> {
  return {
    ...realHost,
    sleep: async () => undefined,
    run: (name, args, given) => (name === program ? instead : realHost.run)(name, args, given),
  };
}

const FAILED = { exitCode: 1, stdout: '', stderr: 'failed' };

/** What coreos-installer leaves on a disk, before or beside a cache. */
function installInto({ device }: WholeDisk): void {
  execFileSync(
    'sgdisk',
    [
      ...['-n', '1:0:+1M', '-c', '1:BIOS-BOOT', '-n', '2:0:+127M', '-c', '2:EFI-SYSTEM', '-t', '2:ef00'],
      ...['-n', '3:0:+384M', '-c', '3:boot', '-n', '4:0:0', '-c', '4:root', device],
    ],
    { stdio: 'ignore' },
  );
}

describe.skipIf(!ready)(`a blank disk${skipped}`, () => {
  test.each([512, 4096] as const)(
    'of %i-byte sectors gets a table and an XFS that the judges find sound',
    async (sectorBytes) => {
      const disk = makeWholeDisk(512 * MiB, sectorBytes);
      const plans: PartitionPlan[] = [];
      const { partition, fileSystem } = await partitionDisk(
        disk.device,
        DISK,
        options(undefined, { onPlan: (plan) => plans.push(plan) }),
        realHost,
      );
      expect(plans).toMatchObject([
        { action: 'create', before: [], after: [{ number: 1, name: 'edgefab' }], notes: [] },
      ]);
      const { table, faults } = await tableOf(disk);
      expect(faults).toEqual([]);
      expect(table?.partitions).toEqual([partition]);
      expect(execFileSync('sgdisk', ['-v', disk.device], { encoding: 'utf8' })).toContain(
        'No problems found',
      );
      expect(fileSystem).toMatchObject({ version: 5, label: 'edgefab', sectorBytes });
      if (partition === undefined) return;
      const loop = loopOver(disk, partition);
      execFileSync('xfs_repair', ['-n', loop], { stdio: 'ignore' });
      // It is what precache --device takes, fills and finds again.
      const mountRoot = tempFolder();
      await withCacheDevice(loop, { uid: 0, mountRoot }, realHost, async (folder) =>
        writeFileSync(join(folder, 'kept'), 'kept'),
      );
      expect(
        await withCacheDevice(loop, { uid: 0, mountRoot }, realHost, async (folder) =>
          readFileSync(join(folder, 'kept'), 'utf8'),
        ),
      ).toBe('kept');
    },
  );

  test('a dry run, and a run nobody confirmed, write nothing', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    const before = await hashOf(disk);
    const { plan, partition } = await partitionDisk(
      disk.device,
      DISK,
      options(undefined, { dryRun: true }),
      realHost,
    );
    expect([plan.action, partition]).toEqual(['create', undefined]);
    const consent = { yes: false, wipe: false, confirmed: [] };
    const asked = await partitionDisk(
      disk.device,
      DISK,
      options(undefined, { dryRun: true, consent }),
      realHost,
    );
    expect(asked.plan.notes).toEqual([expect.stringMatching(/as it stands this is refused: .*Add --yes/)]);
    await expect(
      partitionDisk(disk.device, DISK, options(undefined, { consent }), realHost),
    ).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      suggestions: [expect.stringContaining('--yes')],
    });
    expect(await hashOf(disk)).toBe(before);
  });

  test('a second run does nothing; one after a kill before or in mkfs goes on with --yes alone', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    await expect(
      partitionDisk(
        disk.device,
        DISK,
        options(undefined),
        hostWith('mkfs.xfs', async (_, [first]) => (first === '-N' ? { ...FAILED, exitCode: 0 } : FAILED)),
      ),
    ).rejects.toMatchObject({ code: 'TOOL_FAILED' });
    const resumed = await partitionDisk(disk.device, DISK, options(undefined), realHost);
    expect(resumed.plan).toMatchObject({ action: 'format' });
    expect(resumed.plan.backupFile).toBeUndefined();
    const again = await partitionDisk(disk.device, DISK, options(undefined), realHost);
    expect(again.plan.action).toBe('none');
    expect(again.fileSystem?.uuid).toBe(resumed.fileSystem?.uuid);
    // The last thing mkfs writes is that it is through.
    const file = await open(disk.device, 'r+');
    await file.write(Buffer.of(1), 0, 1, MiB + 126);
    await file.sync();
    await file.close();
    expect((await partitionDisk(disk.device, DISK, options(undefined), realHost)).plan.action).toBe('format');
  });

  test('a table of which only the backup was written is written again, with --yes alone', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    const failing = hostWith('mkfs.xfs', async () => FAILED);
    await expect(partitionDisk(disk.device, DISK, options(undefined), failing)).rejects.toMatchObject({
      code: 'TOOL_FAILED',
    });
    execFileSync('dd', ['if=/dev/zero', `of=${disk.device}`, 'bs=512', 'count=34', 'status=none']);
    const { plan } = await partitionDisk(disk.device, DISK, options(undefined), realHost);
    expect(plan).toMatchObject({
      action: 'create',
      notes: [expect.stringContaining('primary'), expect.any(String)],
    });
    expect((await tableOf(disk)).faults).toEqual([]);
    // With a cache in it, a damaged copy is to be repaired, not the disk made anew.
    execFileSync('dd', ['if=/dev/zero', `of=${disk.device}`, 'bs=512', 'seek=1', 'count=1', 'status=none']);
    await expect(partitionDisk(disk.device, DISK, options(undefined), realHost)).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      suggestions: [expect.stringContaining(`sgdisk -e ${disk.device}`), expect.any(String)],
    });
    execFileSync('sgdisk', ['-e', disk.device], { stdio: 'ignore' });
    expect((await partitionDisk(disk.device, DISK, options(undefined), realHost)).plan.action).toBe('none');
  });

  test('where the kernel shows no partitions, a loop device over the part stands in, and is gone afterwards', async () => {
    const disk = makeWholeDisk(400 * MiB, 4096);
    const loops: string[] = [];
    const host: Pick<Host, 'run' | 'sleep' | 'now'> = {
      ...realHost,
      run: async (program, args, given) => {
        if (program === 'partx' && args[0] !== '-P') return FAILED;
        const done = await realHost.run(program, args, given);
        if (program === 'losetup' && args[0] === '-f') loops.push(done.stdout.trim());
        return done;
      },
    };
    const { fileSystem } = await partitionDisk(disk.device, DISK, options(undefined), host);
    expect(fileSystem).toMatchObject({ label: 'edgefab', sectorBytes: 4096 });
    expect(loops).toHaveLength(1);
    expect(execFileSync('losetup', ['-j', disk.device], { encoding: 'utf8' })).toBe('');
  });

  test('a kernel that goes on using the old table is not written through', async () => {
    const disk = makeWholeDisk(800 * MiB, 512);
    await partitionDisk(disk.device, { ...DISK, size: { bytes: 400 * MiB } }, options(undefined), realHost);
    const start = await hashOf(disk, MiB, 4 * MiB);
    await expect(
      partitionDisk(
        disk.device,
        DISK,
        options(disk),
        hostWith('partx', async (name, args) => (args[0] === '-P' ? realHost.run(name, args) : FAILED)),
      ),
    ).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: expect.stringContaining('the kernel still uses the old one'),
      suggestions: [expect.stringMatching(/Reboot/), expect.stringMatching(/goes on/)],
    });
    expect(await hashOf(disk, MiB, 4 * MiB)).toBe(start);
    expect((await tableOf(disk)).faults).toEqual([]);
  });
});

describe.skipIf(!ready)(`a disk with content${skipped}`, () => {
  const contents: readonly (readonly [string, (disk: WholeDisk) => void])[] = [
    [
      'a GPT',
      ({ device }) =>
        execFileSync('sgdisk', ['-n', '1:2048:40000', '-c', '1:photos', '-n', '3:50000:0', device], {
          stdio: 'ignore',
        }),
    ],
    [
      'a GPT of more entries',
      ({ device }) =>
        execFileSync('sgdisk', ['-o', '-S', '256', '-n', '200:4096:40000', device], { stdio: 'ignore' }),
    ],
    [
      'an ext4 without a table',
      ({ device }) => execFileSync('mkfs.ext4', ['-q', device], { stdio: 'ignore' }),
    ],
    ['an XFS without a table', ({ device }) => execFileSync('mkfs.xfs', ['-q', device], { stdio: 'ignore' })],
    [
      'a GPT whose primary is damaged',
      (disk) => {
        execFileSync('sgdisk', ['-n', '1:2048:40000', disk.device], { stdio: 'ignore' });
        execFileSync('dd', [
          'if=/dev/urandom',
          `of=${disk.device}`,
          'bs=512',
          'seek=1',
          'count=1',
          'status=none',
        ]);
      },
    ],
    [
      'a boot record and an ISO',
      ({ device }) => {
        execFileSync('sgdisk', ['-n', '1:2048:40000', '-m', '1', device], { stdio: 'ignore' });
        execFileSync('bash', [
          '-c',
          `printf '\\001CD001\\001' | dd of=${device} bs=1 seek=32768 conv=notrunc status=none`,
        ]);
      },
    ],
  ];
  test.each(contents)(
    '%s: refused without consent; with it written anew, and restored byte for byte',
    async (_, make) => {
      const disk = makeWholeDisk(400 * MiB, 512);
      make(disk);
      const before = await hashOf(disk);
      const head = await hashOf(disk, 0, MiB);
      const tail = await hashOf(disk, 399 * MiB);
      await expect(partitionDisk(disk.device, DISK, options(undefined), realHost)).rejects.toMatchObject({
        code: 'DEVICE_REFUSED',
      });
      expect(await hashOf(disk)).toBe(before);

      const given = options(disk);
      await partitionDisk(disk.device, DISK, given, realHost);
      expect((await tableOf(disk)).faults).toEqual([]);
      expect(execFileSync('sgdisk', ['-v', disk.device], { encoding: 'utf8' })).toContain(
        'No problems found',
      );
      const found = execFileSync('wipefs', ['-n', '-p', disk.device], { encoding: 'utf8' });
      expect(
        found
          .match(/,(gpt|PMBR|[a-z0-9]+)$/gm)
          ?.map((type) => type.slice(1))
          .sort(),
      ).toEqual(['PMBR', 'gpt', 'gpt']);

      const plan = await restoreTable(
        disk.device,
        given.backupFile,
        { ...options(disk), backupFile: '' },
        realHost,
      );
      expect(plan.action).toBe('restore');
      expect([await hashOf(disk, 0, MiB), await hashOf(disk, 399 * MiB)]).toEqual([head, tail]);
    },
  );

  test('an edgefab cache is named, and what keeps it is said', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    await partitionDisk(disk.device, DISK, options(undefined), realHost);
    const plans: PartitionPlan[] = [];
    const consent = { yes: true, wipe: true, confirmed: ['another'] };
    await expect(
      partitionDisk(
        disk.device,
        DISK,
        options(undefined, { consent, onPlan: (plan) => plans.push(plan) }),
        realHost,
      ),
    ).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      suggestions: [expect.stringContaining('keep the cache'), expect.stringContaining('--confirm')],
    });
    expect(plans[0]?.notes).toEqual([expect.stringContaining('carries an edgefab cache, which goes')]);
  });

  test('twins: said on a workstation, refused on a target', async () => {
    const disk = makeWholeDisk(ROOT_BYTES + GiB, 512);
    const given = { ...options(undefined, { dryRun: true }), lookup: async () => [disk.device, '/dev/sdz1'] };
    const { plan } = await partitionDisk(disk.device, DISK, given, realHost);
    expect(plan.notes).toEqual([expect.stringContaining('/dev/sdz1 is labelled edgefab too')]);
    await expect(partitionDisk(disk.device, TARGET, given, realHost)).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: '/dev/sdz1 of another disk is labelled edgefab-node already',
    });
  });
});

describe.skipIf(!ready)(`a backup${skipped}`, () => {
  test('of another disk, or none at all, is refused and nothing written', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    const other = makeWholeDisk(401 * MiB, 512);
    const given = options(undefined);
    await partitionDisk(disk.device, DISK, given, realHost);
    const before = await hashOf(other);
    await expect(
      restoreTable(other.device, given.backupFile, options(other), realHost),
    ).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: expect.stringContaining(`its size in bytes was ${400 * MiB}, this one has ${401 * MiB}`),
    });
    const text = readFileSync(given.backupFile, 'utf8');
    const saved = JSON.parse(text) as { disk: object; regions: { offset: number; sizeBytes: number }[] };
    const [region, ...rest] = saved.regions;
    const broken: readonly (readonly [string, string])[] = [
      ['', 'TABLE_BACKUP_INVALID'],
      ['{}', 'TABLE_BACKUP_INVALID'],
      [text.slice(0, 300), 'TABLE_BACKUP_INVALID'],
      [text.replace(/"sha256": "\w{4}/, '"sha256": "0000'), 'TABLE_BACKUP_INVALID'],
      [
        JSON.stringify({ ...saved, regions: [{ ...region, offset: 2 ** 50 }, ...rest] }),
        'TABLE_BACKUP_INVALID',
      ],
      [JSON.stringify({ ...saved, regions: [{ ...region, sizeBytes: 1 }, ...rest] }), 'TABLE_BACKUP_INVALID'],
      [
        JSON.stringify({ ...saved, regions: [{ ...region, sizeBytes: 2 ** 40 }, ...rest] }),
        'TABLE_BACKUP_INVALID',
      ],
      [JSON.stringify({ ...saved, disk: { ...saved.disk, sectorBytes: 4096 } }), 'DEVICE_REFUSED'],
      [JSON.stringify({ ...saved, disk: { ...saved.disk, name: 'S1', nameIs: 'serial' } }), 'DEVICE_REFUSED'],
    ];
    const file = join(tempFolder(), 'broken.json');
    const whole = await hashOf(disk);
    for (const [content, code] of broken) {
      writeFileSync(file, content);
      await expect(restoreTable(disk.device, file, options(disk), realHost)).rejects.toMatchObject({ code });
    }
    await expect(restoreTable(disk.device, '/nonexistent', options(disk), realHost)).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    });
    expect(await hashOf(disk)).toBe(whole);
    expect(await hashOf(other)).toBe(before);
  });

  test('is never written over, and without it nothing is written to the disk', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    const before = await hashOf(disk);
    const given = options(undefined);
    writeFileSync(given.backupFile, 'mine');
    await expect(partitionDisk(disk.device, DISK, given, realHost)).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
    });
    expect(readFileSync(given.backupFile, 'utf8')).toBe('mine');
    expect(await hashOf(disk)).toBe(before);
    await partitionDisk(disk.device, DISK, options(undefined), realHost);
  });

  test('says which disk it is of', async () => {
    const disk = makeWholeDisk(400 * MiB, 4096);
    const given = options(undefined);
    await partitionDisk(disk.device, DISK, given, realHost);
    const backup = await loadTableBackup(given.backupFile);
    expect(backup.disk).toEqual({
      name: `${basename(disk.device)}:${400 * MiB}`,
      nameIs: 'kernel name and size',
      sizeBytes: 400 * MiB,
      sectorBytes: 4096,
    });
    expect(backup.regions.map(({ offset, bytes }) => [offset, bytes.length])).toEqual([
      [0, 6 * 4096],
      [400 * MiB - 5 * 4096, 5 * 4096],
    ]);
  });
});

describe.skipIf(!ready)(`an install tried again${skipped}`, () => {
  test.each([512, 4096] as const)(
    '%i-byte sectors: the cache is kept byte for byte, and the install fits before it',
    async (sectorBytes) => {
      const disk = makeWholeDisk(ROOT_BYTES + 400 * MiB, sectorBytes);
      const { partition } = await partitionDisk(disk.device, TARGET, options(undefined), realHost);
      if (partition === undefined) throw new Error('no partition');
      const loop = loopOver(disk, partition);
      const folder = tempFolder();
      execFileSync('mount', [loop, folder]);
      execFileSync('dd', [
        'if=/dev/urandom',
        `of=${join(folder, 'blob')}`,
        'bs=1M',
        'count=64',
        'status=none',
      ]);
      execFileSync('umount', [folder]);
      execFileSync('losetup', ['-d', loop]);
      installInto(disk);
      const from = partition.firstLba * sectorBytes;
      const end = (partition.lastLba + 1) * sectorBytes;
      const cache = await hashOf(disk, from, end);
      const before = await tableOf(disk);
      expect(before.table?.partitions.map(({ number, name }) => [number, name])).toEqual([
        [1, 'BIOS-BOOT'],
        [2, 'EFI-SYSTEM'],
        [3, 'boot'],
        [4, 'root'],
        [5, 'edgefab-node'],
      ]);

      const given = options(undefined, {
        consent: { yes: true, wipe: false, confirmed: [`${basename(disk.device)}:${disk.sizeBytes}`] },
      });
      const { plan, kept, isChanged } = await retryInstall(disk.device, 'edgefab-node', given, realHost);
      expect([plan.action, isChanged, kept]).toEqual(['delete', true, partition]);
      const after = await tableOf(disk);
      expect(after.faults).toEqual([]);
      expect(after.table).toEqual({ ...before.table, partitions: [partition] });
      expect(await hashOf(disk, from, end)).toBe(cache);

      const again = await retryInstall(disk.device, 'edgefab-node', given, realHost);
      expect([again.plan.action, again.isChanged]).toEqual(['none', false]);
      await restoreTable(disk.device, given.backupFile, options(disk), realHost);
      expect((await tableOf(disk)).table).toEqual(before.table);
      expect(await hashOf(disk, from, end)).toBe(cache);
    },
  );

  test.each<[string, (disk: WholeDisk) => void, RegExp]>([
    ['nothing was confirmed', () => undefined, /is not empty/],
    ['a partition is mounted', () => undefined, /is mounted at/],
    [
      'no partition has the label',
      ({ device }) => execFileSync('sgdisk', ['-c', '5:data', device], { stdio: 'ignore' }),
      /has no partition labelled edgefab-node to keep; it has 1 "BIOS-BOOT", .*, 5 "data"/,
    ],
    [
      'two partitions have the label',
      ({ device }) => execFileSync('sgdisk', ['-c', '4:edgefab-node', device], { stdio: 'ignore' }),
      /has 2 partitions labelled edgefab-node/,
    ],
    [
      'a partition is not of coreos-installer',
      ({ device }) => execFileSync('sgdisk', ['-c', '4:photos', device], { stdio: 'ignore' }),
      /partition 4 of .* is called "photos"/,
    ],
    [
      'the cache is no XFS',
      (disk) =>
        execFileSync('dd', [
          'if=/dev/urandom',
          `of=${disk.device}`,
          'bs=1M',
          `seek=${(disk.sizeBytes - 321 * MiB) / MiB}`,
          'count=1',
          'status=none',
        ]),
      /holds no XFS that a node mounts/,
    ],
    [
      'a copy of the table is damaged',
      ({ device }) =>
        execFileSync('dd', ['if=/dev/zero', `of=${device}`, 'bs=512', 'seek=1', 'count=1', 'status=none']),
      /no sound partition table: the primary table is bad/,
    ],
  ])('refused when %s, with nothing written', async (why, change, message) => {
    const disk = makeWholeDisk(ROOT_BYTES + 400 * MiB, 512);
    await partitionDisk(disk.device, TARGET, options(undefined), realHost);
    installInto(disk);
    change(disk);
    if (why.includes('mounted')) {
      const folder = tempFolder();
      execFileSync('mount', [`${disk.device}p5`, folder]);
      onTestFinished(() => void spawnSync('umount', [folder]));
    }
    const consent = {
      yes: true,
      wipe: false,
      confirmed: why.includes('confirmed') ? [] : [`${basename(disk.device)}:${disk.sizeBytes}`],
    };
    const before = await tableOf(disk);
    await expect(
      retryInstall(disk.device, 'edgefab-node', options(undefined, { consent }), realHost),
    ).rejects.toMatchObject({ code: 'DEVICE_REFUSED', message: expect.stringMatching(message) });
    expect(await tableOf(disk)).toEqual(before);
  });
});
