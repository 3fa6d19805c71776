import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

const PARTITION_OFFSET = 1024 * 1024;

/** mkfs.xfs makes nothing smaller. */
const DISK_BYTES = 320 * 1024 * 1024;

/**
 * Makes a disk of one GPT partition and formats that with the given command; returns the loop device of the
 * partition, gone when the test is over. The loop device starts where the partition does, since not every kernel
 * looks for partitions on loop devices.
 */
export function makeLoopPartition(mkfs: readonly string[]): string {
  return attachLoop(mkfs, PARTITION_OFFSET, (image) => {
    execFileSync('sgdisk', ['-n', '1:2048:0', '-c', '1:edgefab', image], { stdio: 'ignore' });
  });
}

/** Makes a loop device without a partition table, formatted with the given command; gone when the test is over. */
export function makeLoopDevice(mkfs: readonly string[]): string {
  return attachLoop(mkfs, 0, () => undefined);
}

function attachLoop(mkfs: readonly string[], offset: number, partition: (image: string) => void): string {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-loop-'));
  const image = join(folder, 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, DISK_BYTES);
  partition(image);
  const device = execFileSync('losetup', ['-f', '--show', '-o', String(offset), image], {
    encoding: 'utf8',
  }).trim();
  onTestFinished(() => {
    spawnSync('umount', ['-A', device], { stdio: 'ignore' });
    execFileSync('losetup', ['-d', device]);
    rmSync(folder, { recursive: true, force: true });
  });
  const [program = '', ...args] = mkfs;
  if (program !== '') execFileSync(program, [...args, device], { stdio: 'ignore' });
  return device;
}
