import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Whether file systems can be mounted here: root, and a loop device to be had. */
export const canMount =
  process.getuid?.() === 0 && spawnSync('losetup', ['-f'], { stdio: 'ignore' }).status === 0;

/** Mounts an empty ext4 file system of the given size on a loop device, gone when the test is over. */
export function mountSmallDisk(sizeBytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-disk-'));
  const image = join(folder, 'disk.img');
  const mountPoint = join(folder, 'mnt');
  writeFileSync(image, '');
  truncateSync(image, sizeBytes);
  mkdirSync(mountPoint);
  execFileSync('mkfs.ext4', ['-q', '-m', '0', image]);
  execFileSync('mount', ['-o', 'loop', image, mountPoint]);
  onTestFinished(() => {
    execFileSync('umount', [mountPoint]);
    rmSync(folder, { recursive: true, force: true });
  });
  return mountPoint;
}
