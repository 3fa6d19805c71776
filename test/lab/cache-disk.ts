import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MIB = 1024 * 1024;
const SECTOR_BYTES = 512;
const CACHE_BYTES = 1024 * MIB;
/** On the node's own disk the image, and what edgefab keeps free before it copies anything, come first. */
const NODE_BYTES = 120 * 1024 * MIB;
/** The second copy of the partition table takes up 33 sectors at the end. */
const END_BYTES = 33 * SECTOR_BYTES;

export interface CacheDiskOptions {
  readonly label?: string;
  /** `installDisk`: partition 5, at the end of a disk with room for a node before it; sparse. */
  readonly location?: 'usb' | 'installDisk';
}

/** Makes the image of a disk with one labelled XFS partition that holds a cache. */
export function makeCacheDisk(path: string, cache: string, options: CacheDiskOptions = {}): void {
  const own = options.location === 'installDisk';
  const { label = own ? 'edgefab-node' : 'edgefab' } = options;
  const [number, startBytes] = own ? [5, NODE_BYTES] : [1, MIB];
  const diskBytes = startBytes + CACHE_BYTES;
  writeFileSync(path, '');
  truncateSync(path, diskBytes);
  const made = [`--new=${number}:${startBytes / SECTOR_BYTES}:0`, `--change-name=${number}:${label}`];
  execFileSync('sgdisk', [...made, path], { stdio: 'ignore' });
  const size = String(diskBytes - startBytes - END_BYTES);
  const place = ['--offset', String(startBytes), '--sizelimit', size];
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
