import { type FileHandle, open } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import { type GptReading, readGpt, sameContent } from '../../formats/gpt.ts';
import type { GptPartition } from '../../formats/gpt-copy.ts';
import type { Host } from '../../host/host.ts';
import type { BlockDevice } from '../device/block-device.ts';
import { LINUX_TYPE, type PlannedPartition } from './partition-plan.ts';

type Disk = Pick<BlockDevice, 'path' | 'realPath' | 'sizeBytes' | 'logicalSectorBytes'>;

/** Reads `length` bytes at `offset`, fewer only at the end. */
export async function readAt(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await file.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

/** Reads the partition table a disk has, from the disk itself: the kernel may remember an older one. */
export async function readTable(disk: Disk): Promise<GptReading> {
  await using file = await open(disk.realPath, 'r');
  return await readGpt((offset, length) => readAt(file, offset, length), {
    sizeBytes: disk.sizeBytes,
    sectorBytes: disk.logicalSectorBytes,
  });
}

/**
 * Writes a table with the one partition, in place of whatever table there was. sgdisk does it: RHCOS has it, Ignition
 * itself calls it there, and it never erases first: it writes the backup, then the primary copy, so that one of the two
 * is whole at every moment. Throws TOOL_FAILED, PARTITION_TABLE_MISMATCH.
 */
export async function writeTable(
  disk: Disk,
  before: GptReading,
  partition: PlannedPartition,
  host: Pick<Host, 'run'>,
): Promise<GptPartition> {
  const { number, label, firstLba, lastLba } = partition;
  if (isOrphan(before)) {
    // Takes the status for granted: it says 2 of such a disk even when done. The next call tells.
    await host.run('sgdisk', ['-z', disk.realPath], { env: { LC_ALL: 'C' } });
  }
  // -g: what is there may be a table of the older kind. -a 1: the sectors are aligned already.
  await runSgdisk(
    disk,
    [
      ...['-g', '-o', '-a', '1', '-n', `${number}:${firstLba}:${lastLba}`],
      ...['-t', `${number}:${LINUX_TYPE.code}`, '-c', `${number}:${label}`],
    ],
    host,
  );
  const { table } = await readWritten(disk, host);
  const [made, ...others] = table?.partitions ?? [];
  const isWanted =
    made !== undefined &&
    others.length === 0 &&
    made.number === number &&
    made.name === label &&
    made.type === LINUX_TYPE.guid &&
    made.firstLba === firstLba &&
    made.lastLba === lastLba;
  if (!isWanted) throw mismatch(disk, 'its partitions are not those that were asked for');
  return made;
}

/**
 * Tells a backup copy that neither a boot record nor a primary leads to: sgdisk will not write over it. The kernel does
 * not use it, so erasing it first takes nothing from anybody; a table of the older kind stays (-z).
 */
function isOrphan({ bootRecord, primary, table }: GptReading): boolean {
  return (
    (bootRecord === 'none' || bootRecord === 'plain') && primary.state !== 'sound' && table !== undefined
  );
}

/**
 * Takes partitions out of the table, all in one write; the others keep their entries to the last bit, or it throws.
 * Throws TOOL_FAILED, PARTITION_TABLE_MISMATCH.
 */
export async function deletePartitions(
  disk: Disk,
  before: GptReading,
  numbers: readonly number[],
  host: Pick<Host, 'run'>,
): Promise<void> {
  await runSgdisk(
    disk,
    numbers.flatMap((number) => ['-d', String(number)]),
    host,
  );
  const { table } = await readWritten(disk, host);
  if (table === undefined || before.table === undefined) throw mismatch(disk, 'there is none');
  const partitions = before.table.partitions.filter(({ number }) => !numbers.includes(number));
  if (!sameContent(table, { ...before.table, partitions })) {
    throw mismatch(disk, 'more than the named partitions changed');
  }
}

async function runSgdisk(disk: Disk, args: readonly string[], host: Pick<Host, 'run'>): Promise<void> {
  const done = await host.run('sgdisk', [...args, disk.realPath], { env: { LC_ALL: 'C' } });
  if (done.exitCode === 0) return;
  const said = `${done.stdout}\n${done.stderr}`
    .trim()
    .split('\n')
    .filter((line) => /\w/.test(line))
    .at(-1);
  throw new EdgefabError(
    `sgdisk did not write the table of ${disk.path}, status ${done.exitCode}: ${said ?? 'it said nothing'}`,
    { code: 'TOOL_FAILED', suggestions: ['dmesg tells whether the disk has errors; use another if so'] },
  );
}

/** Reads back what was written, from the disk and not from the page cache. */
async function readWritten(disk: Disk, host: Pick<Host, 'run'>): Promise<GptReading> {
  await host.run('blockdev', ['--flushbufs', disk.realPath]);
  const reading = await readTable(disk);
  const [fault] = reading.faults;
  if (fault !== undefined) throw mismatch(disk, fault);
  return reading;
}

function mismatch({ path }: Disk, what: string): EdgefabError {
  return new EdgefabError(`the table on ${path} is not what was written to it: ${what}`, {
    code: 'PARTITION_TABLE_MISMATCH',
    suggestions: [
      'Put the old table back with --restore and the backup file that was just made',
      'A disk that does not keep what is written to it is broken or a fake: use another',
    ],
  });
}
