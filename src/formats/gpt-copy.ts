import { crc32 } from 'node:zlib';
import { GPT_ENTRY, GPT_HEADER, GPT_SIGNATURE, UNUSED_TYPE } from './gpt-layout.ts';
import { decodeGuid } from './guid.ts';

/** Reads exactly `length` bytes at `offset` of a disk, fewer only at its end. */
export type ReadDisk = (offset: number, length: number) => Promise<Uint8Array>;

/** The disk a table is on. */
export interface DiskShape {
  readonly sizeBytes: number;
  /** Logical: the one the partition table counts in. */
  readonly sectorBytes: number;
}

/** One partition, as its entry tells. */
export interface GptPartition {
  /** From 1: the place of its entry in the table. */
  readonly number: number;
  readonly type: string;
  readonly guid: string;
  readonly firstLba: number;
  /** The last sector that belongs to it. */
  readonly lastLba: number;
  /** 64 bits, in hexadecimal. */
  readonly attributes: string;
  /** Foreign text: show it escaped. */
  readonly name: string;
}

/** What one sound copy of the table says. */
export interface GptTable {
  readonly diskGuid: string;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  readonly entriesLba: number;
  readonly entryCount: number;
  readonly entryBytes: number;
  /** Where the other copy's header is. */
  readonly alternateLba: number;
  readonly partitions: readonly GptPartition[];
}

/** One of the two copies. `absent`: nothing there claims to be a table. */
export type GptCopy =
  | { readonly state: 'sound'; readonly table: GptTable }
  | { readonly state: 'broken'; readonly problem: string }
  | { readonly state: 'absent' };

// Real tables have 128 entries of 128 bytes, a few programs make more; hostile ones get bounded work.
const MAX_ENTRIES = 1024;
const MAX_ENTRY_BYTES = 4096;
const MAX_TABLE_BYTES = 1024 * 1024;

class Problem extends Error {}

function check(holds: boolean, problem: string): void {
  if (!holds) throw new Problem(problem);
}

/**
 * Reads the copy whose header is in the given sector, and believes nothing its checksums, the disk's size and its own
 * other numbers do not bear out.
 */
export async function readGptCopy(read: ReadDisk, disk: DiskShape, lba: number): Promise<GptCopy> {
  const header = Buffer.from(await read(lba * disk.sectorBytes, disk.sectorBytes));
  if (header.length < GPT_HEADER.end || header.toString('latin1', 0, 8) !== GPT_SIGNATURE) {
    return { state: 'absent' };
  }
  try {
    return { state: 'sound', table: await decodeCopy(header, read, disk, lba) };
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    return { state: 'broken', problem: error.message };
  }
}

async function decodeCopy(header: Buffer, read: ReadDisk, disk: DiskShape, lba: number): Promise<GptTable> {
  const headerBytes = header.readUInt32LE(GPT_HEADER.headerBytes);
  check(
    headerBytes >= GPT_HEADER.end && headerBytes <= header.length,
    `its header says it has ${headerBytes} bytes, want ${GPT_HEADER.end} to ${header.length}`,
  );
  const summed = Buffer.from(header.subarray(0, headerBytes));
  // UEFI specification 5.3.2: the field counts as zero in its own checksum.
  summed.writeUInt32LE(0, GPT_HEADER.headerCrc);
  checkSum('header', header.readUInt32LE(GPT_HEADER.headerCrc), crc32(summed));
  const revision = header.readUInt32LE(GPT_HEADER.revision);
  check(revision === 0x10000, `it has revision 0x${revision.toString(16)}, want 0x10000`);

  const sectors = Math.floor(disk.sizeBytes / disk.sectorBytes);
  const sector = (field: 'myLba' | 'alternateLba' | 'firstUsableLba' | 'lastUsableLba' | 'entriesLba') => {
    const value = header.readBigUInt64LE(GPT_HEADER[field]);
    // The other copy may be past the end of a disk that was cut short: that copy is still told about by itself.
    const isInside = field === 'alternateLba' ? value <= Number.MAX_SAFE_INTEGER : value < BigInt(sectors);
    check(isInside, `its ${field} is sector ${value}, the disk has ${sectors}`);
    return Number(value);
  };
  const myLba = sector('myLba');
  check(myLba === lba, `its header says it is in sector ${myLba}, and is in ${lba}`);
  const firstUsableLba = sector('firstUsableLba');
  const lastUsableLba = sector('lastUsableLba');
  check(
    firstUsableLba <= lastUsableLba,
    `its usable sectors run from ${firstUsableLba} to ${lastUsableLba}: backwards`,
  );

  const entryCount = header.readUInt32LE(GPT_HEADER.entryCount);
  const entryBytes = header.readUInt32LE(GPT_HEADER.entryBytes);
  check(
    entryBytes >= GPT_ENTRY.end && entryBytes <= MAX_ENTRY_BYTES && entryBytes % GPT_ENTRY.end === 0,
    `its entries have ${entryBytes} bytes, want a multiple of ${GPT_ENTRY.end} up to ${MAX_ENTRY_BYTES}`,
  );
  const tableBytes = entryCount * entryBytes;
  check(
    entryCount > 0 && entryCount <= MAX_ENTRIES && tableBytes <= MAX_TABLE_BYTES,
    `it has ${entryCount} entries of ${entryBytes} bytes, want 1 to ${MAX_ENTRIES} in at most ${MAX_TABLE_BYTES} bytes`,
  );
  const entriesLba = sector('entriesLba');
  const tableEnd = entriesLba + Math.ceil(tableBytes / disk.sectorBytes);
  check(
    entriesLba > 0 && tableEnd <= sectors && (tableEnd <= firstUsableLba || entriesLba > lastUsableLba),
    `its entries, sectors ${entriesLba} to ${tableEnd - 1}, are not outside the usable ones (${firstUsableLba} to ${lastUsableLba})`,
  );
  const entries = Buffer.from(await read(entriesLba * disk.sectorBytes, tableBytes));
  check(entries.length === tableBytes, `its entries end after ${entries.length} bytes, want ${tableBytes}`);
  checkSum('entries', header.readUInt32LE(GPT_HEADER.entriesCrc), crc32(entries));
  const usable = { firstUsableLba, lastUsableLba };
  return {
    diskGuid: decodeGuid(header, GPT_HEADER.diskGuid),
    ...usable,
    entriesLba,
    entryCount,
    entryBytes,
    alternateLba: sector('alternateLba'),
    partitions: decodeEntries(entries, entryBytes, usable),
  };
}

function checkSum(what: string, want: number, got: number): void {
  const hex = (sum: number): string => sum.toString(16).padStart(8, '0');
  check(want === got, `the checksum of its ${what} is ${hex(got)}, want ${hex(want)}`);
}

function decodeEntries(
  entries: Buffer,
  entryBytes: number,
  usable: Pick<GptTable, 'firstUsableLba' | 'lastUsableLba'>,
): GptPartition[] {
  const partitions: GptPartition[] = [];
  for (let at = 0; at < entries.length; at += entryBytes) {
    const type = decodeGuid(entries, at + GPT_ENTRY.type);
    if (type === UNUSED_TYPE) continue;
    const number = at / entryBytes + 1;
    const first = entries.readBigUInt64LE(at + GPT_ENTRY.firstLba);
    const last = entries.readBigUInt64LE(at + GPT_ENTRY.lastLba);
    check(
      first <= last && first >= BigInt(usable.firstUsableLba) && last <= BigInt(usable.lastUsableLba),
      `partition ${number} is sectors ${first} to ${last}, want them between ${usable.firstUsableLba} and ${usable.lastUsableLba}`,
    );
    partitions.push({
      number,
      type,
      guid: decodeGuid(entries, at + GPT_ENTRY.guid),
      firstLba: Number(first),
      lastLba: Number(last),
      attributes: entries
        .readBigUInt64LE(at + GPT_ENTRY.attributes)
        .toString(16)
        .padStart(16, '0'),
      name: entries.toString('utf16le', at + GPT_ENTRY.name, at + GPT_ENTRY.end).replace(/\0.*$/su, ''),
    });
  }
  assertApart(partitions);
  return partitions;
}

function assertApart(partitions: readonly GptPartition[]): void {
  const inOrder = [...partitions].sort((a, b) => a.firstLba - b.firstLba);
  for (const [index, { number, firstLba }] of inOrder.entries()) {
    const before = inOrder[index - 1];
    if (before !== undefined && before.lastLba >= firstLba) {
      throw new Problem(`partitions ${before.number} and ${number} overlap at sector ${firstLba}`);
    }
  }
}
