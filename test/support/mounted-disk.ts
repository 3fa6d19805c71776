import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** Mounts a new file system, made by the given command, on a loop device; gone when the test is over. */
export function mountDisk([program = '', ...args]: readonly string[], sizeBytes: number): string {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-disk-'));
  const image = join(folder, 'disk.img');
  const mountPoint = join(folder, 'mnt');
  writeFileSync(image, '');
  truncateSync(image, sizeBytes);
  mkdirSync(mountPoint);
  execFileSync(program, [...args, image]);
  execFileSync('mount', ['-o', 'loop', image, mountPoint]);
  onTestFinished(() => {
    execFileSync('umount', [mountPoint]);
    rmSync(folder, { recursive: true, force: true });
  });
  return mountPoint;
}
