import { execFileSync, spawnSync } from 'node:child_process';
import { basename, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { partitionDisk } from '../../../src/disk/partition/partition-disk.ts';
import { ROOT_BYTES } from '../../../src/disk/partition/partition-plan.ts';
import { restoreTable } from '../../../src/disk/partition/partition-restore.ts';
import { retryInstall } from '../../../src/disk/partition/partition-retry.ts';
import { realHost } from '../../../src/host/real-host.ts';
import {
  canPartition,
  hashOf,
  installInto,
  loopOver,
  MiB,
  partitionOptions,
  partitionSkip,
  TARGET_DISK,
  tableOf,
} from '../../support/partitioned-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { makeWholeDisk, type WholeDisk } from '../../support/whole-disk.ts';

describe.skipIf(!canPartition)(`an install tried again${partitionSkip}`, () => {
  test.each([512, 4096] as const)(
    '%i-byte sectors: the cache is kept byte for byte, and the install fits before it',
    async (sectorBytes) => {
      const disk = makeWholeDisk(ROOT_BYTES + 400 * MiB, sectorBytes);
      const { partition } = await partitionDisk(
        disk.device,
        TARGET_DISK,
        partitionOptions(undefined),
        realHost,
      );
      if (partition === undefined) throw new Error('no partition');
      const { loop, detach } = loopOver(disk, partition);
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
      detach();
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

      const given = partitionOptions(undefined, {
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
      await restoreTable(disk.device, given.backupFile, partitionOptions(disk), realHost);
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
    await partitionDisk(disk.device, TARGET_DISK, partitionOptions(undefined), realHost);
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
      retryInstall(disk.device, 'edgefab-node', partitionOptions(undefined, { consent }), realHost),
    ).rejects.toMatchObject({ code: 'DEVICE_REFUSED', message: expect.stringMatching(message) });
    expect(await tableOf(disk)).toEqual(before);
  });
});
