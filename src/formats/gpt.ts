import { type DiskShape, type GptCopy, type GptTable, type ReadDisk, readGptCopy } from './gpt-copy.ts';
import { GPT_ENTRY, GPT_SIGNATURE, MBR, MBR_RECORD, MBR_SIGNATURE, PROTECTIVE_TYPE } from './gpt-layout.ts';

/**
 * What the first sector of a disk says: `protective` covers a GPT; `hybrid` does and has other partitions too;
 * `plain` is the older kind of partition table, or a boot record without one.
 */
export type BootRecord = 'none' | 'protective' | 'hybrid' | 'plain';

/** Both copies of a disk's GUID partition table, and what is wrong with them. */
export interface GptReading extends DiskShape {
  readonly bootRecord: BootRecord;
  readonly primary: GptCopy;
  readonly backup: GptCopy;
  /** What the kernel would use: the primary, else the backup; undefined when neither is sound. */
  readonly table: GptTable | undefined;
  /** One sentence each; empty for a whole table and for a disk without one. */
  readonly faults: readonly string[];
}

/** The sector sizes disks have. */
const SECTOR_SIZES = [512, 4096];

/**
 * Reads the GUID partition table of a disk (UEFI specification 5.3): the protective boot record, the primary copy in
 * sector 1, the backup in the last sector. Never reads outside the disk, nor more than 1 MiB of entries a copy; nothing
 * a disk holds makes it throw.
 */
export async function readGpt(read: ReadDisk, disk: DiskShape): Promise<GptReading> {
  const sectors = Math.floor(disk.sizeBytes / disk.sectorBytes);
  const bootRecord = decodeBootRecord(Buffer.from(await read(0, MBR.end)));
  const absent: GptCopy = { state: 'absent' };
  const primary = sectors > 1 ? await readGptCopy(read, disk, 1) : absent;
  const last = sectors > 2 ? await readGptCopy(read, disk, sectors - 1) : absent;
  const alternate = primary.state === 'sound' ? primary.table.alternateLba : sectors - 1;
  // A table copied to a larger disk has its backup where the smaller one ended.
  const moved = last.state === 'absent' && alternate !== sectors - 1 && alternate > 1 && alternate < sectors;
  const backup = moved ? await readGptCopy(read, disk, alternate) : last;
  const table =
    primary.state === 'sound' ? primary.table : backup.state === 'sound' ? backup.table : undefined;
  const reading = { ...disk, bootRecord, primary, backup, table };
  return {
    ...reading,
    faults: [...faultsOf(reading, alternate, sectors), ...(await foreignSectors(read, reading))],
  };
}

function decodeBootRecord(bytes: Buffer): BootRecord {
  if (bytes.length < MBR.end || bytes.readUInt16LE(MBR.signature) !== MBR_SIGNATURE) return 'none';
  const types: number[] = [];
  let isProtective = false;
  for (let index = 0; index < MBR.recordCount; index += 1) {
    const at = MBR.records + index * MBR.recordBytes;
    const type = bytes[at + MBR_RECORD.type] ?? 0;
    if (type === 0) continue;
    types.push(type);
    // What the kernel asks for: the type, and that it begins where the header is.
    if (type === PROTECTIVE_TYPE && bytes.readUInt32LE(at + MBR_RECORD.firstLba) === 1) isProtective = true;
  }
  if (!isProtective) return 'plain';
  return types.length === 1 ? 'protective' : 'hybrid';
}

function faultsOf(reading: Omit<GptReading, 'faults'>, alternate: number, sectors: number): string[] {
  const { bootRecord, primary, backup, table } = reading;
  if (primary.state === 'absent' && backup.state === 'absent') {
    return bootRecord === 'protective' || bootRecord === 'hybrid'
      ? ['the boot record says there is a GPT, and neither copy of it is there']
      : [];
  }
  const faults: string[] = [];
  for (const [name, copy, other] of [
    ['primary', primary, backup],
    ['backup', backup, primary],
  ] as const) {
    if (copy.state === 'sound') continue;
    const problem = copy.state === 'broken' ? copy.problem : 'there is none';
    const rest = other.state === 'sound' ? `; the ${name === 'primary' ? 'backup' : 'primary'} is good` : '';
    faults.push(`the ${name} table is bad: ${problem}${rest}`);
  }
  if (bootRecord === 'none' || bootRecord === 'plain') {
    faults.push('the first sector has no protective boot record: the kernel does not look for a GPT');
  } else if (bootRecord === 'hybrid') {
    faults.push('the boot record has partitions of its own besides the GPT');
  }
  if (primary.state === 'sound' && alternate !== sectors - 1) {
    faults.push(
      `the backup table belongs in the last sector, ${sectors - 1}, and is said to be in ${alternate}: the disk was another size when the table was written`,
    );
  }
  if (primary.state === 'sound' && backup.state === 'sound' && !sameContent(primary.table, backup.table)) {
    faults.push('the primary and the backup table differ: a program that was changing them did not finish');
  }
  if (table !== undefined && table.entryBytes !== GPT_ENTRY.end) {
    faults.push(`entries have ${table.entryBytes} bytes: Linux reads only those of ${GPT_ENTRY.end}`);
  }
  return faults;
}

/** Tells whether two tables are the same: disk, usable sectors, and every partition. */
export function sameContent(a: GptTable, b: GptTable): boolean {
  const content = ({ diskGuid, firstUsableLba, lastUsableLba, partitions }: GptTable): string =>
    JSON.stringify([diskGuid, firstUsableLba, lastUsableLba, partitions]);
  return content(a) === content(b);
}

/** Says when the table stands where sectors of another size would put it: an adapter may show other sectors. */
async function foreignSectors(read: ReadDisk, reading: Omit<GptReading, 'faults'>): Promise<string[]> {
  if (reading.table !== undefined) return [];
  for (const size of SECTOR_SIZES) {
    if (size === reading.sectorBytes || 2 * size > reading.sizeBytes) continue;
    const found = Buffer.from(await read(size, GPT_SIGNATURE.length)).toString('latin1');
    if (found === GPT_SIGNATURE) {
      return [
        `there is a table for sectors of ${size} bytes, and the disk shows sectors of ${reading.sectorBytes}: use the adapter it was written with, or write it anew`,
      ];
    }
  }
  return [];
}
