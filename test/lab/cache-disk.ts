import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const START_BYTES = 1024 * 1024;
const DISK_BYTES = 1024 * 1024 * 1024;
/** Sectors the second copy of the partition table takes up at the end. */
const END_BYTES = 33 * 512;

/** Makes the image of a disk with one labelled XFS partition that holds a cache. */
export function makeCacheDisk(path: string, cache: string, label = 'edgefab'): void {
  writeFileSync(path, '');
  truncateSync(path, DISK_BYTES);
  execFileSync('sgdisk', ['--new=1:2048:0', `--change-name=1:${label}`, path], { stdio: 'ignore' });
  const size = String(DISK_BYTES - START_BYTES - END_BYTES);
  const place = ['--offset', String(START_BYTES), '--sizelimit', size];
  const device = execFileSync('losetup', ['--find', '--show', ...place, path], { encoding: 'utf8' }).trim();
  const mountPoint = mkdtempSync(join(tmpdir(), 'edgefab-mnt-'));
  try {
    execFileSync('mkfs.xfs', ['-q', device]);
    execFileSync('mount', [device, mountPoint]);
    try {
      execFileSync('cp', ['-a', `${cache}/.`, mountPoint]);
    } finally {
      execFileSync('umount', [mountPoint]);
    }
  } finally {
    execFileSync('losetup', ['--detach', device]);
    rmdirSync(mountPoint);
  }
}
