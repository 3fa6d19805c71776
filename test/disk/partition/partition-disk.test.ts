import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { withCacheDevice } from '../../../src/disk/cache/cache-device.ts';
import type { PartitionPlan } from '../../../src/disk/partition/partition-change.ts';
import { partitionDisk } from '../../../src/disk/partition/partition-disk.ts';
import type { Host } from '../../../src/host/host.ts';
import { realHost } from '../../../src/host/real-host.ts';
import {
  CACHE_DISK,
  canPartition,
  FAILED,
  hashOf,
  hostWith,
  loopOver,
  MiB,
  partitionOptions,
  partitionSkip,
  tableOf,
} from '../../support/partitioned-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { makeWholeDisk } from '../../support/whole-disk.ts';

describe.skipIf(!canPartition)(`a blank disk${partitionSkip}`, () => {
  test.each([512, 4096] as const)(
    'of %i-byte sectors gets a table and an XFS that the judges find sound',
    async (sectorBytes) => {
      const disk = makeWholeDisk(512 * MiB, sectorBytes);
      const plans: PartitionPlan[] = [];
      const { partition, fileSystem } = await partitionDisk(
        disk.device,
        CACHE_DISK,
        partitionOptions(undefined, { onPlan: (plan) => plans.push(plan) }),
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
      const { loop } = loopOver(disk, partition);
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
      CACHE_DISK,
      partitionOptions(undefined, { dryRun: true }),
      realHost,
    );
    expect([plan.action, partition]).toEqual(['create', undefined]);
    const consent = { yes: false, wipe: false, confirmed: [] };
    const asked = await partitionDisk(
      disk.device,
      CACHE_DISK,
      partitionOptions(undefined, { dryRun: true, consent }),
      realHost,
    );
    expect(asked.plan.notes).toEqual([expect.stringMatching(/as it stands this is refused: .*Add --yes/)]);
    await expect(
      partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined, { consent }), realHost),
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
        CACHE_DISK,
        partitionOptions(undefined),
        hostWith('mkfs.xfs', async (_, [first]) => (first === '-N' ? { ...FAILED, exitCode: 0 } : FAILED)),
      ),
    ).rejects.toMatchObject({ code: 'TOOL_FAILED' });
    const resumed = await partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), realHost);
    expect(resumed.plan).toMatchObject({ action: 'format' });
    expect(resumed.plan.backupFile).toBeUndefined();
    const again = await partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), realHost);
    expect(again.plan.action).toBe('none');
    expect(again.fileSystem?.uuid).toBe(resumed.fileSystem?.uuid);
    // The last thing mkfs writes is that it is through.
    const file = await open(disk.device, 'r+');
    await file.write(Buffer.of(1), 0, 1, MiB + 126);
    await file.sync();
    await file.close();
    expect(
      (await partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), realHost)).plan.action,
    ).toBe('format');
  });

  test('a table of which only the backup was written is written again, with --yes alone', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    const failing = hostWith('mkfs.xfs', async () => FAILED);
    await expect(
      partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), failing),
    ).rejects.toMatchObject({
      code: 'TOOL_FAILED',
    });
    execFileSync('dd', ['if=/dev/zero', `of=${disk.device}`, 'bs=512', 'count=34', 'status=none']);
    const { plan } = await partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), realHost);
    expect(plan).toMatchObject({
      action: 'create',
      notes: [expect.stringContaining('primary'), expect.any(String)],
    });
    expect((await tableOf(disk)).faults).toEqual([]);
    // With a cache in it, a damaged copy is to be repaired, not the disk made anew.
    execFileSync('dd', ['if=/dev/zero', `of=${disk.device}`, 'bs=512', 'seek=1', 'count=1', 'status=none']);
    await expect(
      partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), realHost),
    ).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      suggestions: [expect.stringContaining(`sgdisk -e ${disk.device}`), expect.any(String)],
    });
    execFileSync('sgdisk', ['-e', disk.device], { stdio: 'ignore' });
    expect(
      (await partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), realHost)).plan.action,
    ).toBe('none');
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
    const { fileSystem } = await partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), host);
    expect(fileSystem).toMatchObject({ label: 'edgefab', sectorBytes: 4096 });
    expect(loops).toHaveLength(1);
    expect(execFileSync('losetup', ['-j', disk.device], { encoding: 'utf8' })).toBe('');
  });

  test('a kernel that goes on using the old table is not written through', async () => {
    const disk = makeWholeDisk(800 * MiB, 512);
    await partitionDisk(
      disk.device,
      { ...CACHE_DISK, size: { bytes: 400 * MiB } },
      partitionOptions(undefined),
      realHost,
    );
    const start = await hashOf(disk, MiB, 4 * MiB);
    await expect(
      partitionDisk(
        disk.device,
        CACHE_DISK,
        partitionOptions(disk),
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
