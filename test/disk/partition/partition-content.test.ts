import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import type { PartitionPlan } from '../../../src/disk/partition/partition-change.ts';
import { partitionDisk } from '../../../src/disk/partition/partition-disk.ts';
import { ROOT_BYTES } from '../../../src/disk/partition/partition-plan.ts';
import { restoreTable } from '../../../src/disk/partition/partition-restore.ts';
import { realHost } from '../../../src/host/real-host.ts';
import {
  CACHE_DISK,
  canPartition,
  GiB,
  hashOf,
  MiB,
  partitionOptions,
  partitionSkip,
  TARGET_DISK,
  tableOf,
} from '../../support/partitioned-disk.ts';
import { makeWholeDisk, type WholeDisk } from '../../support/whole-disk.ts';

describe.skipIf(!canPartition)(`a disk with content${partitionSkip}`, () => {
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
      await expect(
        partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), realHost),
      ).rejects.toMatchObject({
        code: 'DEVICE_REFUSED',
      });
      expect(await hashOf(disk)).toBe(before);

      const given = partitionOptions(disk);
      await partitionDisk(disk.device, CACHE_DISK, given, realHost);
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
        { ...partitionOptions(disk), backupFile: '' },
        realHost,
      );
      expect(plan.action).toBe('restore');
      expect([await hashOf(disk, 0, MiB), await hashOf(disk, 399 * MiB)]).toEqual([head, tail]);
    },
  );

  test('an edgefab cache is named, and what keeps it is said', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    await partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), realHost);
    const plans: PartitionPlan[] = [];
    const consent = { yes: true, wipe: true, confirmed: ['another'] };
    await expect(
      partitionDisk(
        disk.device,
        CACHE_DISK,
        partitionOptions(undefined, { consent, onPlan: (plan) => plans.push(plan) }),
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
    const given = {
      ...partitionOptions(undefined, { dryRun: true }),
      lookup: async () => [disk.device, '/dev/sdz1'],
    };
    const { plan } = await partitionDisk(disk.device, CACHE_DISK, given, realHost);
    expect(plan.notes).toEqual([expect.stringContaining('/dev/sdz1 is labelled edgefab too')]);
    await expect(partitionDisk(disk.device, TARGET_DISK, given, realHost)).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: '/dev/sdz1 of another disk is labelled edgefab-node already',
    });
  });
});
