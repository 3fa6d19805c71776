import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import type { GptPartition } from '../../formats/gpt-copy.ts';
import { quoteText } from '../../formats/shown-text.ts';
import type { Host } from '../../host/host.ts';
import type { BlockDevice } from '../device/block-device.ts';
import { saveTable } from './partition-backup.ts';
import {
  assertMayChange,
  type ChangeWant,
  dryRunNotes,
  type InspectedDisk,
  inspectDisk,
  type PartitionOptions,
  type PartitionPlan,
} from './partition-change.ts';
import { readPartitionContent } from './partition-format.ts';
import { assertKernelAgrees } from './partition-node.ts';
import { deletePartitions, readAt } from './partition-table.ts';

/** What coreos-installer makes; it numbers them 1 to 4. */
const INSTALLED_NUMBERS = [1, 2, 3, 4];
const INSTALLED_NAMES = ['BIOS-BOOT', 'EFI-SYSTEM', 'PowerPC-PReP-boot', 'reserved', 'boot', 'root'];

const WANT: ChangeWant = { purpose: 'to delete partitions 1 to 4', neededBytes: 0, content: 'kept' };

/** How much of either end of the cache is compared before and after. */
const EDGE_BYTES = 4 * 1024 * 1024;

export interface RetriedDisk {
  readonly plan: PartitionPlan;
  /** The partition that was kept. */
  readonly kept: GptPartition;
  /** False after a dry run, and where there was nothing to delete. */
  readonly isChanged: boolean;
}

/**
 * Deletes partitions 1 to 4 of a node that is to be installed again, and keeps its cache. Proof: the table, read back,
 * is the old one without those entries, both ends of the cache are the same bytes, and the kernel uses the new table.
 * Throws DEVICE_UNKNOWN, DEVICE_REFUSED, TARGET_EXISTS, TOOL_MISSING, TOOL_FAILED, PARTITION_TABLE_MISMATCH.
 */
export async function retryInstall(
  path: string,
  label: string,
  options: PartitionOptions,
  host: Pick<Host, 'run' | 'sleep' | 'now'>,
): Promise<RetriedDisk> {
  const disk = await inspectDisk(path, options, host);
  const { device, reading, roots } = disk;
  const { kept, gone } = await choosePartitions(disk, label, options.consent.wipe);
  const plan: PartitionPlan = {
    action: gone.length === 0 ? 'none' : 'delete',
    device,
    sectorBytes: reading.sectorBytes,
    before: reading.table?.partitions ?? [],
    after: reading.table?.partitions.filter((partition) => !gone.includes(partition)) ?? [],
    notes: [
      `partition ${kept.number}, ${quoteText(kept.name)}, is kept as it is`,
      ...(gone.length === 0
        ? ['there are no partitions 1 to 4: nothing to delete']
        : dryRunNotes(device, WANT, options)),
    ],
    ...(gone.length === 0 ? {} : { backupFile: options.backupFile }),
  };
  options.onPlan?.(plan);
  if (gone.length === 0 || options.dryRun) return { plan, kept, isChanged: false };
  await assertMayChange(disk, WANT, options);
  const before = await hashEdges(device, kept);
  await saveTable(options.backupFile, device, reading, host);
  const numbers = gone.map(({ number }) => number);
  await deletePartitions(device, reading, numbers, host);
  if ((await hashEdges(device, kept)) !== before) {
    throw new EdgefabError(`partition ${kept.number} of ${path} has changed while others were deleted`, {
      code: 'PARTITION_TABLE_MISMATCH',
      suggestions: [
        'Run edgefab cache verify on it before you trust it; dmesg tells whether the disk has errors',
      ],
    });
  }
  await assertKernelAgrees(device, [kept], numbers, host, roots);
  return { plan, kept, isChanged: true };
}

/** Finds what stays and what goes, and refuses where that is in doubt. */
async function choosePartitions(
  { device, reading }: InspectedDisk,
  label: string,
  wipe: boolean,
): Promise<{ readonly kept: GptPartition; readonly gone: readonly GptPartition[] }> {
  const [fault] = reading.faults;
  if (reading.table === undefined || fault !== undefined) {
    throw refuse(`${device.path} has no sound partition table: ${fault ?? 'it has no GPT'}`, [
      'Put it right first: edgefab partition --restore with a backup file, or sgdisk -e and sgdisk -v',
      'Where nothing on the disk is to be kept: edgefab partition DEVICE --on-target --wipe',
    ]);
  }
  const { partitions } = reading.table;
  const [kept, ...others] = partitions.filter(({ name }) => name === label);
  if (kept === undefined || others.length > 0) {
    const names = partitions.map(({ number, name }) => `${number} ${quoteText(name)}`).join(', ');
    throw refuse(
      `${device.path} has ${kept === undefined ? 'no' : others.length + 1} partition${kept === undefined ? '' : 's'} labelled ${label} to keep; it has ${names || 'none at all'}`,
      ['Name the partition that holds the cache with --label'],
    );
  }
  const content = await readPartitionContent(device, kept);
  if (content.kind !== 'xfs' && !wipe) {
    throw refuse(
      `partition ${kept.number}, ${quoteText(label)}, of ${device.path} holds no XFS that a node mounts: it is ${content.kind}`,
      [
        'There is no cache to keep: make the partition anew with --on-target --wipe',
        'To delete partitions 1 to 4 all the same: --wipe',
      ],
    );
  }
  const gone = partitions.filter(
    ({ number }) => INSTALLED_NUMBERS.includes(number) && number !== kept.number,
  );
  const foreign = gone.find(({ name }) => !INSTALLED_NAMES.includes(name));
  if (foreign !== undefined && !wipe) {
    throw refuse(
      `partition ${foreign.number} of ${device.path} is called ${quoteText(foreign.name)}, which coreos-installer does not make`,
      ['If all of partitions 1 to 4 may go: --wipe'],
    );
  }
  return { kept, gone };
}

async function hashEdges(device: BlockDevice, { firstLba, lastLba }: GptPartition): Promise<string> {
  const from = firstLba * device.logicalSectorBytes;
  const end = (lastLba + 1) * device.logicalSectorBytes;
  const length = Math.min(EDGE_BYTES, end - from);
  await using file = await open(device.realPath, 'r');
  const hash = createHash('sha256');
  hash.update(await readAt(file, from, length));
  hash.update(await readAt(file, end - length, length));
  return hash.digest('hex');
}

function refuse(message: string, suggestions: readonly string[]): EdgefabError {
  return new EdgefabError(message, { code: 'DEVICE_REFUSED', suggestions });
}
