import { EdgefabError } from '../errors.ts';
import {
  DESCRIPTOR,
  DESCRIPTOR_TYPE,
  IDENTIFIER_BYTES,
  isoLevel1Name,
  SECTOR_BYTES,
  STANDARD_ID,
  SYSTEM_AREA_BYTES,
} from './iso9660-layout.ts';
import {
  type DirectoryRecord,
  decodeDirectory,
  decodeRecord,
  type Extent,
  invalidIso,
} from './iso9660-records.ts';

/** Reads exactly `length` bytes at `offset` of an image, fewer only at its end. */
export type ReadAt = (offset: number, length: number) => Promise<Uint8Array>;

/** Where a file's bytes are in the image. */
export interface IsoFile {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** An ISO 9660 image whose primary volume descriptor was read and found sound. */
export interface Iso9660 {
  readonly volumeId: string;
  /** The name of the set the volume is one of (ECMA-119 8.4.19): four times as long as the volume id may be. */
  readonly volumeSetId: string;
  /** What the volume says it takes up; the image may have padding behind it. */
  readonly volumeBytes: number;
  /** Finds a file by its plain ISO name, else by its Rock Ridge name; not by a Joliet one. Throws ISO_INVALID. */
  findFile(path: string): Promise<IsoFile | undefined>;
  /** Lists all files, sorted by path, with Rock Ridge names where there are any. Throws ISO_INVALID. */
  listFiles(): Promise<IsoFile[]>;
}

// Hostile images get bounded work: real ones have 3 or 4 descriptors, a dozen one-sector directories, 3 levels.
const MAX_DESCRIPTORS = 64;
const MAX_DIRECTORY_BYTES = 1024 * 1024;
const MAX_ALL_DIRECTORIES_BYTES = 4 * 1024 * 1024;
const MAX_DEPTH = 16;

// ECMA-119 8.4.19: the first of the long texts.
const VOLUME_SET_BYTES = 128;

function textAt(descriptor: Buffer, at: number, length: number): string {
  return descriptor.toString('latin1', at, at + length).replace(/[ \0]+$/, '');
}

// ECMA-119 6.8.2.2: the first two records of a directory are itself and its parent.
const OWN_NAMES: readonly string[] = ['\0', '\x01'];

class Volume implements Iso9660 {
  readonly volumeId: string;
  readonly volumeSetId: string;
  readonly volumeBytes: number;
  readonly #read: (extent: Extent, what: string) => Promise<Buffer>;
  readonly #imageBytes: number;
  readonly #root: Extent;
  /** By offset. Each directory is read once, so that no image makes us read the same bytes over and over. */
  readonly #directories = new Map<number, { sizeBytes: number; records: DirectoryRecord[] }>();
  #directoryBytes = 0;

  constructor(
    descriptor: Buffer,
    offset: number,
    imageBytes: number,
    read: (extent: Extent, what: string) => Promise<Buffer>,
  ) {
    this.#read = read;
    this.#imageBytes = imageBytes;
    this.volumeId = textAt(descriptor, DESCRIPTOR.volumeId, IDENTIFIER_BYTES);
    this.volumeSetId = textAt(descriptor, DESCRIPTOR.texts, VOLUME_SET_BYTES);
    const sectorBytes = descriptor.readUInt16LE(DESCRIPTOR.sectorBytes);
    if (sectorBytes !== SECTOR_BYTES) {
      throw invalidIso(
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
    if (!root.isDirectory) throw invalidIso(offset + DESCRIPTOR.rootRecord, 'the root is not a directory');
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
      throw invalidIso(file.offset, `"${path}" is not one plain extent, which this program does not read`);
    }
    if (file.offset + file.sizeBytes > this.#imageBytes) {
      throw invalidIso(
        file.offset,
        `"${path}" ends at ${file.offset + file.sizeBytes}, want at most ${this.#imageBytes}, the image's size`,
      );
    }
    return { path, offset: file.offset, sizeBytes: file.sizeBytes };
  }

  async listFiles(): Promise<IsoFile[]> {
    const files: IsoFile[] = [];
    const seen = new Set<number>();
    const waiting = [{ directory: this.#root, path: '', depth: 1 }];
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const { directory, path, depth } = next;
      // A directory that is listed again, or contains itself, has nothing new.
      if (seen.has(directory.offset)) continue;
      seen.add(directory.offset);
      for (const record of await this.#recordsOf(directory)) {
        if (OWN_NAMES.includes(record.name)) continue;
        const shown = `${path}${record.longName ?? record.name}`;
        if (!record.isDirectory) {
          files.push({ path: shown, offset: record.offset, sizeBytes: record.sizeBytes });
        } else if (depth < MAX_DEPTH) {
          waiting.push({ directory: record, path: `${shown}/`, depth: depth + 1 });
        }
      }
    }
    return files.sort((left, right) => (left.path < right.path ? -1 : 1));
  }

  async #findRecord(
    directory: Extent,
    component: string,
    isDirectory: boolean,
  ): Promise<DirectoryRecord | undefined> {
    const records = (await this.#recordsOf(directory)).filter((record) => record.isDirectory === isDirectory);
    const byName = (wanted: string) => records.find(({ name }) => name.toUpperCase() === wanted);
    // ISO names first, as coreos-installer looks files up; last the level 1 name that long ones were cut to.
    return (
      byName(component.toUpperCase()) ??
      records.find(({ longName }) => longName === component) ??
      byName(isoLevel1Name(component))
    );
  }

  async #recordsOf({ offset, sizeBytes }: Extent): Promise<readonly DirectoryRecord[]> {
    const known = this.#directories.get(offset);
    if (known?.sizeBytes === sizeBytes) return known.records;
    if (sizeBytes > MAX_DIRECTORY_BYTES) {
      throw invalidIso(offset, `directory has ${sizeBytes} bytes, want at most ${MAX_DIRECTORY_BYTES}`);
    }
    this.#directoryBytes += sizeBytes;
    if (this.#directoryBytes > MAX_ALL_DIRECTORIES_BYTES) {
      throw invalidIso(
        offset,
        `directories have more than the ${MAX_ALL_DIRECTORIES_BYTES} bytes any live ISO needs`,
      );
    }
    const records = decodeDirectory(await this.#read({ offset, sizeBytes }, 'directory'), offset);
    this.#directories.set(offset, { sizeBytes, records });
    return records;
  }
}

/**
 * Reads the primary volume descriptor of an image of `imageBytes` bytes (ECMA-119, the plain names only).
 * Throws ISO_INVALID, with offset, got and want, on anything that is not a sound ISO 9660 image.
 */
export async function readIso9660(readAt: ReadAt, imageBytes: number): Promise<Iso9660> {
  const read = async ({ offset, sizeBytes }: Extent, what: string): Promise<Buffer> => {
    if (offset + sizeBytes > imageBytes) {
      throw invalidIso(
        offset,
        `${what} ends at ${offset + sizeBytes}, want at most ${imageBytes}, the image's size`,
      );
    }
    const bytes = await readAt(offset, sizeBytes);
    if (bytes.length !== sizeBytes) {
      throw invalidIso(offset, `${what}: got ${bytes.length} bytes, want ${sizeBytes}`);
    }
    return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  };
  for (let index = 0; index < MAX_DESCRIPTORS; index += 1) {
    const offset = SYSTEM_AREA_BYTES + index * SECTOR_BYTES;
    const descriptor = await read({ offset, sizeBytes: SECTOR_BYTES }, 'volume descriptor');
    const standardId = descriptor.toString('latin1', DESCRIPTOR.standardId, DESCRIPTOR.version);
    if (standardId !== STANDARD_ID || descriptor[DESCRIPTOR.version] !== 1) {
      throw invalidIso(
        offset,
        `volume descriptor is marked ${JSON.stringify(standardId)}, want "${STANDARD_ID}" version 1: this is not an ISO 9660 image`,
      );
    }
    const type = descriptor[DESCRIPTOR.type];
    if (type === DESCRIPTOR_TYPE.primary) return new Volume(descriptor, offset, imageBytes, read);
    if (type === DESCRIPTOR_TYPE.terminator) break;
  }
  throw invalidIso(SYSTEM_AREA_BYTES, `no primary volume descriptor among the first ${MAX_DESCRIPTORS}`);
}
