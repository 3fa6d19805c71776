import { EdgefabError } from '../errors.ts';
import { RECORD, RECORD_FLAG, SECTOR_BYTES } from './iso9660-layout.ts';
import { rockRidgeName } from './rock-ridge.ts';

/** Bytes of an image. */
export interface Extent {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** One entry of a directory (ECMA-119 9.1). */
export interface DirectoryRecord extends Extent {
  /** The plain ISO name, without version number. */
  readonly name: string;
  /** The name Rock Ridge gives it, where it does. */
  readonly longName: string | undefined;
  readonly isDirectory: boolean;
  /** Data in several extents, interleaved, or behind an attribute record: nothing a live ISO does. */
  readonly isPlain: boolean;
}

/** Makes the error for bytes at an offset that no sound image has. */
export function invalidIso(offset: number, problem: string): EdgefabError {
  return new EdgefabError(`ISO 9660 image is broken at offset ${offset}: ${problem}`, {
    code: 'ISO_INVALID',
  });
}

/** Decodes the directory record at `at`; `offset` is where that is in the image. Throws ISO_INVALID. */
export function decodeRecord(bytes: Buffer, at: number, offset: number): DirectoryRecord {
  const length = bytes[at + RECORD.length] ?? 0;
  const nameBytes = bytes[at + RECORD.nameBytes] ?? 0;
  const flags = bytes[at + RECORD.flags] ?? 0;
  if (RECORD.name + nameBytes > length) {
    throw invalidIso(
      offset,
      `directory record has ${length} bytes, want ${RECORD.name + nameBytes} for its name`,
    );
  }
  return {
    // The version number ";1" and the dot of a name without extension are not part of what people write.
    name: bytes
      .toString('latin1', at + RECORD.name, at + RECORD.name + nameBytes)
      .replace(/;\d+$/, '')
      .replace(/\.$/, ''),
    // ECMA-119 9.1.12: a padding byte follows a name of even length; what is left is the system use field.
    longName: rockRidgeName(
      bytes.subarray(at + RECORD.name + nameBytes + ((nameBytes + 1) % 2), at + length),
    ),
    offset: bytes.readUInt32LE(at + RECORD.extentSector) * SECTOR_BYTES,
    sizeBytes: bytes.readUInt32LE(at + RECORD.dataBytes),
    isDirectory: (flags & RECORD_FLAG.directory) !== 0,
    isPlain:
      (flags & RECORD_FLAG.moreExtents) === 0 &&
      bytes[at + RECORD.attributeSectors] === 0 &&
      bytes[at + RECORD.unitSectors] === 0 &&
      bytes[at + RECORD.gapSectors] === 0,
  };
}

/** Decodes all records of a directory. Throws ISO_INVALID. */
export function decodeDirectory(bytes: Buffer, offset: number): DirectoryRecord[] {
  const records: DirectoryRecord[] = [];
  let at = 0;
  while (at < bytes.length) {
    const sectorEnd = Math.min(bytes.length, (Math.floor(at / SECTOR_BYTES) + 1) * SECTOR_BYTES);
    const length = bytes[at] ?? 0;
    if (length === 0) {
      // ECMA-119 6.8.1.1: records do not cross a sector, the rest of the sector is zero.
      at = sectorEnd;
      continue;
    }
    if (length <= RECORD.name || at + length > sectorEnd) {
      throw invalidIso(
        offset + at,
        `directory record has ${length} bytes, want ${RECORD.name + 1} to ${sectorEnd - at} within its sector`,
      );
    }
    records.push(decodeRecord(bytes, at, offset + at));
    at += length;
  }
  return records;
}
