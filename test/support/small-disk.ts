import { spawnSync } from 'node:child_process';
import { mountDisk } from './mounted-disk.ts';

/** Whether file systems can be mounted here: root, and a loop device to be had. */
export const canMount =
  process.getuid?.() === 0 && spawnSync('losetup', ['-f'], { stdio: 'ignore' }).status === 0;

/** Mounts an empty ext4 file system of the given size on a loop device, gone when the test is over. */
export function mountSmallDisk(sizeBytes: number): string {
  return mountDisk(['mkfs.ext4', '-q', '-m', '0'], sizeBytes);
}
