import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { onTestFinished } from 'vitest';
import type { PartitionOptions } from '../../src/disk/partition/partition-change.ts';
import type { PartitionWish } from '../../src/disk/partition/partition-plan.ts';
import { readTable } from '../../src/disk/partition/partition-table.ts';
import type { GptReading } from '../../src/formats/gpt.ts';
import type { Host } from '../../src/host/host.ts';
import { realHost } from '../../src/host/real-host.ts';
import { canMount } from './small-disk.ts';
import { tempFolder } from './temp-folder.ts';
import { haveTools } from './tools.ts';
import type { WholeDisk } from './whole-disk.ts';

export const MiB = 1024 ** 2;
export const GiB = 1024 ** 3;
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
/** Whether disks can be partitioned here; tests skip with the reason otherwise. */
export const canPartition = canMount && haveTools(...TOOLS);
/** What to put behind the title of a test that needs it. */
export const partitionSkip = canPartition
  ? ''
  : ` (SKIPPED: needs root, a loop device and ${TOOLS.join(', ')})`;

export const CACHE_DISK: PartitionWish = {
  number: 1,
  label: 'edgefab',
  size: { percent: 100 },
  place: 'disk',
};
export const TARGET_DISK: PartitionWish = {
  number: 5,
  label: 'edgefab-node',
  size: { bytes: 320 * MiB },
  place: 'target',
};

/** Consent to all, on a disk with content, or with --yes alone; no other disk has the label. */
export function partitionOptions(
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

/** The partition table of a disk as it is on the medium. */
export async function tableOf({ device, sizeBytes, sectorBytes }: WholeDisk): Promise<GptReading> {
  execFileSync('blockdev', ['--flushbufs', device]);
  return await readTable({ path: device, realPath: device, sizeBytes, logicalSectorBytes: sectorBytes });
}

/** Hashes a part of a disk as it is on the medium. */
export async function hashOf(
  { device, image, sizeBytes }: WholeDisk,
  start = 0,
  end = sizeBytes,
): Promise<string> {
  execFileSync('blockdev', ['--flushbufs', device]);
  const hash = createHash('sha256');
  await pipeline(createReadStream(image, { start, end: end - 1, highWaterMark: 4 * MiB }), hash);
  return hash.digest('hex');
}

/**
 * A loop device over one partition, whatever the kernel shows of it. It is detached once, by `detach` or when the test
 * is over: by then its number may be that of another test's disk.
 */
export function loopOver(
  disk: WholeDisk,
  { firstLba, lastLba }: { firstLba: number; lastLba: number },
): { readonly loop: string; detach(): void } {
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
  let isAttached = true;
  const detach = (): void => {
    if (!isAttached) return;
    isAttached = false;
    spawnSync('umount', ['-A', loop], { stdio: 'ignore' });
    execFileSync('losetup', ['-d', loop]);
  };
  onTestFinished(detach);
  return { loop, detach };
}

/** The real host, but for one program. */
export function hostWith(program: string, instead: Host['run']): Pick<Host, 'run' | 'sleep' | 'now'> {
  return {
    ...realHost,
    sleep: async () => undefined,
    run: (name, args, given) => (name === program ? instead : realHost.run)(name, args, given),
  };
}

export const FAILED = { exitCode: 1, stdout: '', stderr: 'failed' };

/** What coreos-installer leaves on a disk, before or beside a cache. */
export function installInto({ device }: WholeDisk): void {
  execFileSync(
    'sgdisk',
    [
      ...['-n', '1:0:+1M', '-c', '1:BIOS-BOOT', '-n', '2:0:+127M', '-c', '2:EFI-SYSTEM', '-t', '2:ef00'],
      ...['-n', '3:0:+384M', '-c', '3:boot', '-n', '4:0:0', '-c', '4:root', device],
    ],
    { stdio: 'ignore' },
  );
}
