import { type FileHandle, open } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import { readGpt } from '../../formats/gpt.ts';
import type { Host } from '../../host/host.ts';
import type { BlockDevice } from '../device/block-device.ts';
import { confirmationOf } from '../device/describe-device.ts';
import { openDevice } from '../device/open-device.ts';
import { loadTableBackup, type SavedRegion, type TableBackup } from './partition-backup.ts';
import {
  assertMayChange,
  type ChangeWant,
  dryRunNotes,
  inspectDisk,
  type PartitionOptions,
  type PartitionPlan,
} from './partition-change.ts';
import { assertKernelAgrees } from './partition-node.ts';
import { readAt, readTable } from './partition-table.ts';

const WANT: ChangeWant = {
  purpose: 'to put its old partition table back',
  neededBytes: 0,
  content: 'kept',
};

/**
 * Puts the partition table, and what else was saved with it, back as it was. The backup copy goes first and is flushed,
 * then the primary with its first sector last: an interruption leaves one whole table, and the same call ends it. What
 * is in the partitions is not touched. Throws TABLE_BACKUP_INVALID, DEVICE_UNKNOWN, DEVICE_REFUSED, TOOL_MISSING,
 * PARTITION_TABLE_MISMATCH.
 */
export async function restoreTable(
  path: string,
  file: string,
  options: PartitionOptions,
  host: Pick<Host, 'run' | 'sleep'>,
): Promise<PartitionPlan> {
  const backup = await loadTableBackup(file);
  const disk = await inspectDisk(path, options, host);
  const { device, reading, roots } = disk;
  assertBelongs(backup, device, file);
  const old = await readGpt(async (offset, length) => bytesOf(backup.regions, offset, length), reading);
  const before = reading.table?.partitions ?? [];
  const after = old.table?.partitions ?? [];
  const plan: PartitionPlan = {
    action: 'restore',
    device,
    sectorBytes: reading.sectorBytes,
    before,
    after,
    notes: [
      `saved ${backup.savedAt}`,
      ...old.faults.map((fault) => `the saved table: ${fault}`),
      ...dryRunNotes(device, WANT, options),
    ],
  };
  options.onPlan?.(plan);
  if (options.dryRun) return plan;
  await assertMayChange(disk, WANT, options);
  {
    const { file: out } = await openDevice(device, { roots });
    try {
      await writeRegions(out, backup.regions, reading.sectorBytes);
    } finally {
      await out.close();
    }
  }
  await host.run('blockdev', ['--flushbufs', device.realPath]);
  await assertWritten(device, backup.regions);
  // Told as a whole where nothing else holds the disk; the single partitions are looked at after that.
  await host.run('blockdev', ['--rereadpt', device.realPath]);
  const left = before.filter(({ number }) => !after.some((one) => one.number === number));
  const { table } = await readTable(device);
  await assertKernelAgrees(
    device,
    table?.partitions ?? [],
    left.map(({ number }) => number),
    host,
    roots,
  );
  return plan;
}

function assertBelongs({ disk }: TableBackup, device: BlockDevice, file: string): void {
  const { text, what } = confirmationOf(device);
  // A kernel name is another one after every boot.
  const isNamed = disk.nameIs !== 'kernel name and size';
  const rows = [
    ...(isNamed
      ? [{ what: disk.nameIs, was: disk.name, is: what === disk.nameIs ? text : `none (${text})` }]
      : []),
    { what: 'size in bytes', was: String(disk.sizeBytes), is: String(device.sizeBytes) },
    { what: 'sector size', was: String(disk.sectorBytes), is: String(device.logicalSectorBytes) },
  ];
  const other = rows.find(({ was, is }) => was !== is);
  if (other === undefined) return;
  throw new EdgefabError(
    `${file} was saved from another disk than ${device.path}: its ${other.what} was ${other.was}, this one has ${other.is}`,
    {
      code: 'DEVICE_REFUSED',
      suggestions: ['Look at the names of disk and file again; the file names its disk under "disk"'],
    },
  );
}

/** Reads from what was saved, as if it were the disk; zeros elsewhere. */
function bytesOf(regions: readonly SavedRegion[], offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (const region of regions) {
    const from = Math.max(offset, region.offset);
    const to = Math.min(offset + length, region.offset + region.bytes.length);
    if (from < to) region.bytes.copy(bytes, from - offset, from - region.offset, to - region.offset);
  }
  return bytes;
}

async function writeRegions(
  out: FileHandle,
  regions: readonly SavedRegion[],
  sectorBytes: number,
): Promise<void> {
  const [head, ...rest] = [...regions].sort((a, b) => a.offset - b.offset);
  for (const { offset, bytes } of rest) await writeAt(out, bytes, offset);
  await out.sync();
  if (head === undefined) return;
  const split = Math.min(2 * sectorBytes, head.bytes.length);
  await writeAt(out, head.bytes.subarray(split), head.offset + split);
  await out.sync();
  await writeAt(out, head.bytes.subarray(sectorBytes, split), head.offset + sectorBytes);
  await writeAt(out, head.bytes.subarray(0, sectorBytes), head.offset);
  await out.sync();
}

async function writeAt(out: FileHandle, bytes: Buffer, offset: number): Promise<void> {
  let written = 0;
  while (written < bytes.length) {
    const done = await out.write(bytes, written, bytes.length - written, offset + written);
    written += done.bytesWritten;
  }
}

async function assertWritten(device: BlockDevice, regions: readonly SavedRegion[]): Promise<void> {
  await using file = await open(device.realPath, 'r');
  for (const { offset, bytes } of regions) {
    if ((await readAt(file, offset, bytes.length)).equals(bytes)) continue;
    throw new EdgefabError(`${device.path} does not hold what was written to it at offset ${offset}`, {
      code: 'PARTITION_TABLE_MISMATCH',
      suggestions: ['A disk that does not keep what is written to it is broken or a fake: use another'],
    });
  }
}
