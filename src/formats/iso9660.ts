import { EdgefabError } from '../errors.ts';
import {
  DESCRIPTOR,
  DESCRIPTOR_TYPE,
  IDENTIFIER_BYTES,
  isoLevel1Name,
  RECORD,
  RECORD_FLAG,
  SECTOR_BYTES,
  STANDARD_ID,
  SYSTEM_AREA_BYTES,
} from './iso9660-layout.ts';

/** Reads exactly `length` bytes at `offset` of an image, fewer only at its end. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/** Where a file's bytes are in the image. */
interface IsoFile {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** An ISO 9660 image whose primary volume descriptor was read and found sound. */
export interface Iso9660 {
  readonly volumeId: string;
  /** What the volume says it takes up; the image may have padding behind it. */
  readonly volumeBytes: number;
  /** Finds a file by its plain name; Rock Ridge and Joliet names are not looked at. Throws ISO_INVALID. */
  findFile(path: string): Promise<IsoFile | undefined>;
}

interface Extent {
  readonly offset: number;
  readonly sizeBytes: number;
}

interface DirectoryRecord extends Extent {
  readonly name: string;
  readonly isDirectory: boolean;
  /** Data in several extents, interleaved, or behind an attribute record: nothing a live ISO does. */
  readonly isPlain: boolean;
}

// Hostile images get bounded work: real ones have 3 or 4 descriptors, one-sector directories, 3 levels.
const MAX_DESCRIPTORS = 64;
const MAX_DIRECTORY_BYTES = 1024 * 1024;
const MAX_DEPTH = 16;

function invalid(offset: number, problem: string): EdgefabError {
  return new EdgefabError(`ISO 9660 image is broken at offset ${offset}: ${problem}`, {
    code: 'ISO_INVALID',
  });
}

function decodeRecord(bytes: Buffer, at: number, offset: number): DirectoryRecord {
  const length = bytes[at + RECORD.length] ?? 0;
  const nameBytes = bytes[at + RECORD.nameBytes] ?? 0;
  const flags = bytes[at + RECORD.flags] ?? 0;
  if (RECORD.name + nameBytes > length) {
    throw invalid(
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

function decodeDirectory(bytes: Buffer, offset: number): DirectoryRecord[] {
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
      throw invalid(
        offset + at,
        `directory record has ${length} bytes, want ${RECORD.name + 1} to ${sectorEnd - at} within its sector`,
      );
    }
    records.push(decodeRecord(bytes, at, offset + at));
    at += length;
  }
  return records;
}

class Volume implements Iso9660 {
  readonly volumeId: string;
  readonly volumeBytes: number;
  readonly #read: (extent: Extent, what: string) => Promise<Buffer>;
  readonly #imageBytes: number;
  readonly #root: Extent;

  constructor(
    descriptor: Buffer,
    offset: number,
    imageBytes: number,
    read: (extent: Extent, what: string) => Promise<Buffer>,
  ) {
    this.#read = read;
    this.#imageBytes = imageBytes;
    this.volumeId = descriptor
      .toString('latin1', DESCRIPTOR.volumeId, DESCRIPTOR.volumeId + IDENTIFIER_BYTES)
      .replace(/[ \0]+$/, '');
    const sectorBytes = descriptor.readUInt16LE(DESCRIPTOR.sectorBytes);
    if (sectorBytes !== SECTOR_BYTES) {
      throw invalid(
        offset + DESCRIPTOR.sectorBytes,
        `sectors have ${sectorBytes} bytes, want ${SECTOR_BYTES}`,
      );
    }
    this.volumeBytes = descriptor.readUInt32LE(DESCRIPTOR.volumeSectors) * SECTOR_BYTES;
    if (this.volumeBytes > imageBytes) {
      throw new EdgefabError(
        `ISO image "${this.volumeId}" is cut short: got ${imageBytes} bytes, want ${this.volumeBytes}`,
        { code: 'ISO_INVALID', suggestions: ['Download the image again and compare its sha256'] },
      );
    }
    const root = decodeRecord(descriptor, DESCRIPTOR.rootRecord, offset + DESCRIPTOR.rootRecord);
    if (!root.isDirectory) throw invalid(offset + DESCRIPTOR.rootRecord, 'the root is not a directory');
    this.#root = root;
  }

  async findFile(path: string): Promise<IsoFile | undefined> {
    const components = path.split('/').filter((component) => component !== '' && component !== '.');
    if (components.length > MAX_DEPTH) {
      throw new EdgefabError(
        `path "${path.slice(0, 100)}" has ${components.length} levels, want at most ${MAX_DEPTH}`,
        { code: 'ISO_INVALID' },
      );
    }
    const fileName = components.pop();
    if (fileName === undefined) return undefined;
    let directory = this.#root;
    for (const component of components) {
      const found = await this.#findRecord(directory, component, true);
      if (found === undefined) return undefined;
      directory = found;
    }
    const file = await this.#findRecord(directory, fileName, false);
    if (file === undefined) return undefined;
    if (!file.isPlain) {
      throw invalid(file.offset, `"${path}" is not one plain extent, which this program does not read`);
    }
    if (file.offset + file.sizeBytes > this.#imageBytes) {
      throw invalid(
        file.offset,
        `"${path}" ends at ${file.offset + file.sizeBytes}, want at most ${this.#imageBytes}, the image's size`,
      );
    }
    return { path, offset: file.offset, sizeBytes: file.sizeBytes };
  }

  async #findRecord(
    directory: Extent,
    component: string,
    isDirectory: boolean,
  ): Promise<DirectoryRecord | undefined> {
    if (directory.sizeBytes > MAX_DIRECTORY_BYTES) {
      throw invalid(
        directory.offset,
        `directory has ${directory.sizeBytes} bytes, want at most ${MAX_DIRECTORY_BYTES}`,
      );
    }
    const bytes = await this.#read(directory, 'directory');
    const records = decodeDirectory(bytes, directory.offset).filter(
      (record) => record.isDirectory === isDirectory,
    );
    // Long names where the image has them, else the level 1 names that CoreOS images are made with.
    for (const wanted of [component.toUpperCase(), isoLevel1Name(component)]) {
      const record = records.find(({ name }) => name.toUpperCase() === wanted);
      if (record !== undefined) return record;
    }
    return undefined;
  }
}

/**
 * Reads the primary volume descriptor of an image of `imageBytes` bytes (ECMA-119, the plain names only).
 * Throws ISO_INVALID, with offset, got and want, on anything that is not a sound ISO 9660 image.
 */
export async function readIso9660(readAt: ReadAt, imageBytes: number): Promise<Iso9660> {
  const read = async ({ offset, sizeBytes }: Extent, what: string): Promise<Buffer> => {
    if (offset + sizeBytes > imageBytes) {
      throw invalid(
        offset,
        `${what} ends at ${offset + sizeBytes}, want at most ${imageBytes}, the image's size`,
      );
    }
    const bytes = await readAt(offset, sizeBytes);
    if (bytes.length !== sizeBytes) {
      throw invalid(offset, `${what}: got ${bytes.length} bytes, want ${sizeBytes}`);
    }
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  for (let index = 0; index < MAX_DESCRIPTORS; index += 1) {
    const offset = SYSTEM_AREA_BYTES + index * SECTOR_BYTES;
    const descriptor = await read({ offset, sizeBytes: SECTOR_BYTES }, 'volume descriptor');
    const standardId = descriptor.toString('latin1', DESCRIPTOR.standardId, DESCRIPTOR.version);
    if (standardId !== STANDARD_ID || descriptor[DESCRIPTOR.version] !== 1) {
      throw invalid(
        offset,
        `volume descriptor is marked ${JSON.stringify(standardId)}, want "${STANDARD_ID}" version 1: this is not an ISO 9660 image`,
      );
    }
    const type = descriptor[DESCRIPTOR.type];
    if (type === DESCRIPTOR_TYPE.primary) return new Volume(descriptor, offset, imageBytes, read);
    if (type === DESCRIPTOR_TYPE.terminator) break;
  }
  throw invalid(SYSTEM_AREA_BYTES, `no primary volume descriptor among the first ${MAX_DESCRIPTORS}`);
}
