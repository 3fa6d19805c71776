import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const PARTITION_OFFSET = 1024 * 1024;

/** mkfs.xfs makes nothing smaller. */
const DISK_BYTES = 320 * 1024 * 1024;

export interface LoopPartition {
  readonly device: string;
  close(): void;
}

/**
 * Makes a disk of one GPT partition and formats that with the given command. The loop device starts where the
 * partition does, since not every kernel looks for partitions on loop devices.
 */
export function openLoopPartition(mkfs: readonly string[]): LoopPartition {
  return attachLoop(mkfs, PARTITION_OFFSET, (image) => {
    execFileSync('sgdisk', ['-n', '1:2048:0', '-c', '1:edgefab', image], { stdio: 'ignore' });
  });
}

/** Makes such a partition, gone when the test is over; returns its loop device. */
export function makeLoopPartition(mkfs: readonly string[]): string {
  const { device, close } = openLoopPartition(mkfs);
  onTestFinished(close);
  return device;
}

/** Makes a loop device without a partition table, formatted with the given command; gone when the test is over. */
export function makeLoopDevice(mkfs: readonly string[]): string {
  const { device, close } = attachLoop(mkfs, 0, () => undefined);
  onTestFinished(close);
  return device;
}

function attachLoop(
  mkfs: readonly string[],
  offset: number,
  partition: (image: string) => void,
): LoopPartition {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-loop-'));
  const image = join(folder, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, DISK_BYTES);
  partition(image);
  const device = execFileSync('losetup', ['-f', '--show', '-o', String(offset), image], {
    encoding: 'utf8',
  }).trim();
  const [program = '', ...args] = mkfs;
  if (program !== '') execFileSync(program, [...args, device], { stdio: 'ignore' });
  return {
    device,
    close: () => {
      spawnSync('umount', ['-A', device], { stdio: 'ignore' });
      execFileSync('losetup', ['-d', device]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
