import { open } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import type { GptPartition } from '../../formats/gpt-copy.ts';
import {
  decodeXfsSuperblock,
  XFS_SUPERBLOCK_BYTES,
  type XfsSuperblock,
} from '../../formats/xfs-superblock.ts';
import type { Host } from '../../host/host.ts';
import { xfsArguments } from '../cache/make-xfs.ts';
import { xfsFaults } from '../cache/xfs-features.ts';
import type { BlockDevice } from '../device/block-device.ts';
import type { MachineRoots } from '../device/machine-roots.ts';
import { openPartition } from './partition-node.ts';
import { readAt } from './partition-table.ts';

/** What is looked at to tell a partition nobody has written to. */
const UNTOUCHED_BYTES = 64 * 1024;

/** What is on a partition. `other`: bytes that are neither zero nor an XFS of edgefab's kind. */
export type PartitionContent =
  | { readonly kind: 'untouched' }
  | { readonly kind: 'unfinished' }
  | { readonly kind: 'xfs'; readonly superblock: XfsSuperblock }
  | { readonly kind: 'other' };

type Place = Pick<GptPartition, 'firstLba' | 'lastLba'>;

/** Reads what is on a partition, from the disk itself. */
export async function readPartitionContent(disk: BlockDevice, place: Place): Promise<PartitionContent> {
  await using file = await open(disk.realPath, 'r');
  const start = await readAt(file, place.firstLba * disk.logicalSectorBytes, UNTOUCHED_BYTES);
  const superblock = decodeXfsSuperblock(start.subarray(0, XFS_SUPERBLOCK_BYTES));
  if (superblock?.isUnfinished === true) return { kind: 'unfinished' };
  if (superblock !== undefined && xfsFaults(superblock, disk.logicalSectorBytes).length === 0) {
    return { kind: 'xfs', superblock };
  }
  return start.every((byte) => byte === 0) ? { kind: 'untouched' } : { kind: 'other' };
}

/**
 * Makes the XFS of a cache on a partition, then reads its superblock back from the disk and checks that every node will
 * mount it. Throws TOOL_MISSING, TOOL_FAILED, DEVICE_REFUSED, FILESYSTEM_UNFIT.
 */
export async function formatPartition(
  disk: BlockDevice,
  partition: GptPartition,
  host: Pick<Host, 'run' | 'sleep'>,
  roots: MachineRoots,
): Promise<XfsSuperblock> {
  {
    await using node = await openPartition(disk, partition, host, roots);
    const args = await xfsArguments(node.path, partition.name, host);
    const done = await host.run('mkfs.xfs', ['-q', ...args]);
    if (done.exitCode !== 0) {
      throw new EdgefabError(
        `mkfs.xfs did not format partition ${partition.number} of ${disk.path}: ${done.stderr.trim()}`,
        {
          code: 'TOOL_FAILED',
          suggestions: ['dmesg tells whether the disk has errors; then run the same command again'],
        },
      );
    }
    await host.run('blockdev', ['--flushbufs', node.path]);
  }
  // The whole disk has a page cache of its own, with what was there before.
  await host.run('blockdev', ['--flushbufs', disk.realPath]);
  const made = await readPartitionContent(disk, partition);
  const sizeBytes = (partition.lastLba - partition.firstLba + 1) * disk.logicalSectorBytes;
  if (
    made.kind === 'xfs' &&
    made.superblock.label === partition.name &&
    made.superblock.sizeBytes <= sizeBytes
  ) {
    return made.superblock;
  }
  throw new EdgefabError(
    `the XFS that mkfs.xfs made on partition ${partition.number} of ${disk.path} is not one a node mounts: read back, it is ${made.kind}`,
    {
      code: 'FILESYSTEM_UNFIT',
      suggestions: [
        'A disk that does not keep what is written to it is broken or a fake: use another',
        'Or install another version of xfsprogs',
      ],
    },
  );
}
