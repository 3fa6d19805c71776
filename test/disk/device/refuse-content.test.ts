import { execFileSync } from 'node:child_process';
import { basename, join } from 'node:path';
import {
  type DangerRow,
  filled,
  NOT_TOLD,
  run,
  STICK_BYTES,
  stick,
  testDangers,
} from '../../support/danger-rows.ts';
import { makeLoopDevice } from '../../support/loop-disk.ts';
import * as signatures from '../../support/signatures.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const ROWS: readonly DangerRow[] = [
  { name: 'a file system, with --yes alone', refused: ['not-empty'], make: () => filled(() => NOT_TOLD) },
  {
    name: 'a file system, with --wipe alone',
    refused: ['not-empty'],
    make: () => filled(() => ({ ...NOT_TOLD, wipe: true })),
  },
  {
    name: 'a file system, confirmed but without --wipe',
    refused: ['not-empty'],
    make: () => filled((device) => ({ ...NOT_TOLD, confirmed: [`${basename(device)}:${STICK_BYTES}`] })),
  },
  {
    name: 'a file system, without --yes',
    refused: ['not-empty'],
    make: () => filled((device) => ({ yes: false, confirmed: [`${basename(device)}:${STICK_BYTES}`] })),
  },
  {
    name: 'a file system, confirmed as another',
    refused: ['wrong-confirmation'],
    make: () => filled(() => ({ confirmed: ['4C530001234567891011'] })),
  },
  {
    name: 'a file system, confirmed by its path alone',
    refused: ['wrong-confirmation'],
    make: () => filled((device) => ({ confirmed: [device] })),
  },
  {
    name: 'a cache disk as large as mkfs.xfs makes them',
    refused: ['not-empty'],
    make: () => ({
      path: makeLoopDevice(['mkfs.xfs', '-q', '-L', 'edgefab']),
      want: NOT_TOLD,
    }),
  },
  {
    name: 'a cache partition without a file system yet',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        run('sgdisk', '-n', '1:2048:0', '-c', '1:edgefab-node', device);
        return { want: NOT_TOLD };
      }),
  },
  {
    name: 'an empty partition table',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        run('sgdisk', '-o', device);
        return { want: NOT_TOLD };
      }),
  },
  {
    name: 'a boot stick',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        const folder = tempFolder();
        run('xorriso', '-as', 'mkisofs', '-V', 'LIVE', '-o', join(folder, 'a.iso'), folder);
        run('dd', `if=${join(folder, 'a.iso')}`, `of=${device}`, 'conv=fsync');
        return { want: NOT_TOLD };
      }),
  },
  {
    name: 'an encrypted disk',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        signatures.putLuks(device);
        return { want: NOT_TOLD };
      }),
  },
  {
    name: 'swap that is not in use',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        run('mkswap', device);
        return { want: NOT_TOLD };
      }),
  },
  ...[0, STICK_BYTES / 2 - 100_000, STICK_BYTES - 512].map((near) => ({
    name: `bytes without a signature near ${near}`,
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        // In the middle a stretch as long as a step of the samples.
        if (near === 0 || near === STICK_BYTES - 512) signatures.putBytes(device, near);
        else for (let at = near; at < near + 500_000; at += 4096) signatures.putBytes(device, at);
        return { want: NOT_TOLD };
      }),
  })),
  ...(
    [
      ['LVM', signatures.putLvm],
      ['RAID', signatures.putRaid],
      ['ZFS', signatures.putZfs],
      ['VMFS', signatures.putVmfs],
      ['Ceph', signatures.putCeph],
    ] as const
  ).map(([pool, put]) => ({
    name: `a disk of a ${pool} pool`,
    refused: ['member'],
    make: () => stick((device) => put(device), 64 * 1024 * 1024),
  })),
  {
    name: 'a disk with a RAID partition',
    refused: ['member'],
    make: () =>
      stick((device, image) => {
        run('sgdisk', '-n', '1:2048:0', device);
        const partition = execFileSync('losetup', ['-f', '--show', '-o', '1048576', image], {
          encoding: 'utf8',
        });
        signatures.putRaid(partition.trim());
        run('losetup', '-d', partition.trim());
      }),
  },
  {
    name: 'a blank disk nobody confirmed',
    refused: ['not-confirmed'],
    make: () => stick(() => ({ want: { ...NOT_TOLD, yes: false } })),
  },
];

testDangers('a device with something on it', ROWS);
