import { EdgefabError } from '../../errors.ts';
import type { GptPartition } from '../../formats/gpt-copy.ts';
import type { XfsSuperblock } from '../../formats/xfs-superblock.ts';
import type { Host } from '../../host/host.ts';
import { type LabelLookup, labelLookup } from '../cache/labelled-devices.ts';
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
import { formatPartition, type PartitionContent, readPartitionContent } from './partition-format.ts';
import { findPlanned, type PartitionWish, type PlannedPartition, planPartition } from './partition-plan.ts';
import { writeTable } from './partition-table.ts';
import { findTwins } from './partition-twins.ts';

export interface PreparedDisk {
  readonly plan: PartitionPlan;
  /** Undefined after a dry run. */
  readonly partition?: GptPartition;
  readonly fileSystem?: XfsSuperblock;
}

const WANT: ChangeWant = { purpose: 'to make a cache partition on it', neededBytes: 0, content: 'erased' };

/** Signatures that a new table replaces by itself. */
const TABLE_SIGNATURES = ['gpt', 'dos', 'PMBR'];

/**
 * Makes the one partition of a cache on a disk: plans, shows, asks for consent, saves the old table, writes the new one,
 * formats, and reads all of it back. After an interruption the same call goes on where it stopped; on a disk that is as
 * wanted it does nothing. Throws SPACE_SHORT, DEVICE_UNKNOWN, DEVICE_REFUSED, TARGET_EXISTS, TOOL_MISSING, TOOL_FAILED,
 * PARTITION_TABLE_MISMATCH, FILESYSTEM_UNFIT.
 */
export async function partitionDisk(
  path: string,
  wish: PartitionWish,
  options: PartitionOptions & { readonly lookup?: LabelLookup },
  host: Pick<Host, 'run' | 'sleep' | 'now'>,
): Promise<PreparedDisk> {
  const disk = await inspectDisk(path, options, host);
  const { device, reading, roots } = disk;
  const planned = planPartition(reading, wish);
  const found = options.consent.wipe ? undefined : findPlanned(reading, planned);
  const content = found === undefined ? undefined : await readPartitionContent(device, found);
  const twins = await findTwins(device, wish.label, options.lookup ?? labelLookup(host), roots);
  // Of an earlier run that did not end; nothing was ever in it.
  const asked: InspectedDisk = isUntouched(content)
    ? { ...disk, device: { ...device, content: { kind: 'blank' } } }
    : disk;
  const made = makePlan(disk, planned, content, twins, options.backupFile);
  const dangers = made.action === 'none' ? [] : dryRunNotes(asked.device, WANT, options);
  const plan = { ...made, notes: [...made.notes, ...dangers] };
  options.onPlan?.(plan);
  if (plan.action === 'none' && found !== undefined && content?.kind === 'xfs') {
    return { plan, partition: found, fileSystem: content.superblock };
  }
  if (twins.length > 0 && wish.place === 'target') throw twinError(wish.label, twins);
  if (options.dryRun) return { plan };

  await assertMayChange(asked, WANT, options, hasCache(device) ? [keepAdvice(disk, wish)] : []);
  let partition = found;
  if (partition === undefined || plan.action !== 'format') {
    await saveTable(options.backupFile, device, reading, host);
    partition = await writeTable(device, reading, planned, host);
    await eraseSignatures(device, host);
  }
  return { plan, partition, fileSystem: await formatPartition(device, partition, host, roots) };
}

function makePlan(
  { device, reading }: InspectedDisk,
  planned: PlannedPartition,
  content: PartitionContent | undefined,
  twins: readonly string[],
  backupFile: string,
): PartitionPlan {
  const isWhole = reading.faults.length === 0;
  const action =
    isWhole && content?.kind === 'xfs' ? 'none' : isWhole && isUntouched(content) ? 'format' : 'create';
  const { label: name, ...place } = planned;
  const notes = reading.faults.map((fault) => `the table it has: ${fault}`);
  if (action === 'create' && hasCache(device) && !isUntouched(content)) {
    notes.push('this disk carries an edgefab cache, which goes: fetching it again takes hours');
  }
  if (twins.length > 0) {
    notes.push(
      `${twins.join(', ')} is labelled ${name} too: name the device by its path while both are attached`,
    );
  }
  return {
    action,
    device,
    sectorBytes: reading.sectorBytes,
    before: reading.table?.partitions ?? [],
    after: [{ ...place, name }],
    notes,
    ...(action === 'create' ? { backupFile } : {}),
  };
}

function hasCache({ content }: BlockDevice): boolean {
  return content.kind === 'signatures' && content.cache !== undefined;
}

function isUntouched(content: PartitionContent | undefined): boolean {
  return content?.kind === 'untouched' || content?.kind === 'unfinished';
}

function keepAdvice({ device: { path }, reading }: InspectedDisk, { place }: PartitionWish): string {
  if (reading.faults.length > 0) {
    return `To keep the cache, put the table right: sgdisk -e ${path} writes both copies anew from the good one`;
  }
  return place === 'target'
    ? `To install again and keep the cache: edgefab partition ${path} --retry-install`
    : 'To keep the cache, leave the disk as it is: edgefab precache --device goes on with it';
}

function twinError(label: string, twins: readonly string[]): EdgefabError {
  return new EdgefabError(`${twins.join(', ')} of another disk is labelled ${label} already`, {
    code: 'DEVICE_REFUSED',
    suggestions: [
      'The node stops when two partitions have the label: unplug the other disk, or give another --label',
      `Or change its label: sgdisk -c NUMBER:NAME on that disk`,
    ],
  });
}

/**
 * Takes away the marks of file systems that were on the whole disk: they would be found before the partition. The table
 * is on the disk by then, so that an interruption leaves one.
 */
async function eraseSignatures({ content, realPath }: BlockDevice, host: Pick<Host, 'run'>): Promise<void> {
  if (content.kind !== 'signatures') return;
  for (const { offset, type, partition } of content.signatures) {
    if (partition !== undefined || TABLE_SIGNATURES.includes(type)) continue;
    // Where the new table was written over it, there is nothing left to find, which is no failure.
    await host.run('wipefs', ['-o', String(offset), realPath]);
  }
}
