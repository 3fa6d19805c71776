import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type LoopPartition, openLoopPartition } from './loop-disk.ts';

/** Makes an XFS partition on a loop device and copies a folder into it. */
export function openXfsCache(folder?: string): LoopPartition {
  const partition = openLoopPartition(['mkfs.xfs', '-q']);
  const mountPoint = mkdtempSync(join(tmpdir(), 'edgefab-mnt-'));
  execFileSync('mount', [partition.device, mountPoint]);
  try {
    if (folder !== undefined) execFileSync('cp', ['-a', `${folder}/.`, mountPoint]);
  } finally {
    execFileSync('umount', [mountPoint]);
    rmdirSync(mountPoint);
  }
  return partition;
}
