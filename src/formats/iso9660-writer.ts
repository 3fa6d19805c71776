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

/** A file to put in an image; `path` uses `/` and is written with its ISO level 1 name. */
export interface IsoSourceFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface IsoContent {
  /** At most 32 ASCII characters. */
  readonly volumeId: string;
  readonly files: readonly IsoSourceFile[];
}

/** An image and where each file's bytes landed in it, by the path it was given under. */
export interface EncodedIso {
  readonly bytes: Uint8Array;
  readonly offsets: ReadonlyMap<string, number>;
}

interface FileNode {
  readonly path: string;
  readonly bytes: Uint8Array;
  sector: number;
}

interface DirectoryNode {
  readonly parent: DirectoryNode | undefined;
  readonly name: string;
  readonly directories: Map<string, DirectoryNode>;
  readonly files: Map<string, FileNode>;
  sector: number;
}

const SELF = '\0';
const PARENT = '\x01';
// ECMA-119 8.4.26.1: "not specified" is written as sixteen zeros and a zero byte.
const NO_DATE = `${'0'.repeat(16)}\0`;
const DATE_COUNT = 4;
const VOLUME_SEQUENCE = 1;

function refuse(problem: string): never {
  throw new EdgefabError(`ISO 9660 image cannot be written: ${problem}`, { code: 'ISO_INVALID' });
}

function sectorsFor(byteLength: number): number {
  return Math.ceil(byteLength / SECTOR_BYTES);
}

/** ECMA-119 7.3.3: little-endian, then big-endian. */
function writeBoth32(target: Buffer, value: number, at: number): void {
  target.writeUInt32LE(value, at);
  target.writeUInt32BE(value, at + 4);
}

/** ECMA-119 7.2.3. */
function writeBoth16(target: Buffer, value: number, at: number): void {
  target.writeUInt16LE(value, at);
  target.writeUInt16BE(value, at + 2);
}

function newDirectory(parent: DirectoryNode | undefined, name: string): DirectoryNode {
  return { parent, name, directories: new Map(), files: new Map(), sector: 0 };
}

function buildTree(files: readonly IsoSourceFile[]): DirectoryNode {
  const root = newDirectory(undefined, SELF);
  for (const { path, bytes } of files) {
    const components = path.split('/').map(isoLevel1Name);
    const fileName = components.pop();
    if (fileName === undefined || fileName === '' || components.includes('')) {
      refuse(`"${path}" is not a relative path`);
    }
    let directory = root;
    for (const component of components) {
      const next = directory.directories.get(component) ?? newDirectory(directory, component);
      directory.directories.set(component, next);
      directory = next;
    }
    const name = fileName.includes('.') ? `${fileName};1` : `${fileName}.;1`;
    if (directory.files.has(name)) refuse(`"${path}" and another file are both named ${name}`);
    directory.files.set(name, { path, bytes, sector: 0 });
  }
  return root;
}

function byName<T>(entries: ReadonlyMap<string, T>): T[] {
  return [...entries].sort(([left], [right]) => (left < right ? -1 : 1)).map(([, value]) => value);
}

/** ECMA-119 6.9.1: the path table goes level by level, so that parents come before their children. */
function listDirectories(root: DirectoryNode): DirectoryNode[] {
  const listed = [root];
  for (const directory of listed) listed.push(...byName(directory.directories));
  return listed;
}

function encodeRecord(name: string, sector: number, dataBytes: number, flags: number): Buffer {
  const nameBytes = Buffer.from(name, 'latin1');
  // ECMA-119 9.1.12: a padding byte follows a name of even length.
  const record = Buffer.alloc(RECORD.name + nameBytes.length + (nameBytes.length % 2 === 0 ? 1 : 0));
  record[RECORD.length] = record.length;
  writeBoth32(record, sector, RECORD.extentSector);
  writeBoth32(record, dataBytes, RECORD.dataBytes);
  record[RECORD.flags] = flags;
  writeBoth16(record, VOLUME_SEQUENCE, RECORD.volumeSequence);
  record[RECORD.nameBytes] = nameBytes.length;
  nameBytes.copy(record, RECORD.name);
  return record;
}

function encodeDirectory(directory: DirectoryNode): Buffer {
  const { directory: flag } = RECORD_FLAG;
  const entries: [string, Buffer][] = [
    ...[...directory.directories].map(([name, child]): [string, Buffer] => [
      name,
      encodeRecord(name, child.sector, SECTOR_BYTES, flag),
    ]),
    ...[...directory.files].map(([name, file]): [string, Buffer] => [
      name,
      encodeRecord(name, file.sector, file.bytes.length, 0),
    ]),
  ];
  entries.sort(([left], [right]) => (left < right ? -1 : 1));
  const bytes = Buffer.concat([
    encodeRecord(SELF, directory.sector, SECTOR_BYTES, flag),
    encodeRecord(PARENT, (directory.parent ?? directory).sector, SECTOR_BYTES, flag),
    ...entries.map(([, record]) => record),
  ]);
  if (bytes.length > SECTOR_BYTES) {
    refuse(
      `directory "${directory.name}" has ${bytes.length} bytes of records, want at most ${SECTOR_BYTES}`,
    );
  }
  return bytes;
}

/** ECMA-119 9.4: one record per directory, in one byte order. */
function encodePathTable(directories: readonly DirectoryNode[], bigEndian: boolean): Buffer {
  return Buffer.concat(
    directories.map((directory) => {
      const record = Buffer.alloc(8 + directory.name.length + (directory.name.length % 2));
      const parentNumber = directories.indexOf(directory.parent ?? directory) + 1;
      record[0] = directory.name.length;
      if (bigEndian) {
        record.writeUInt32BE(directory.sector, 2);
        record.writeUInt16BE(parentNumber, 6);
      } else {
        record.writeUInt32LE(directory.sector, 2);
        record.writeUInt16LE(parentNumber, 6);
      }
      record.write(directory.name, 8, 'latin1');
      return record;
    }),
  );
}

interface Geometry {
  readonly volumeSectors: number;
  readonly pathTableBytes: number;
  readonly littleEndianTable: number;
  readonly bigEndianTable: number;
  readonly root: DirectoryNode;
}

function encodeDescriptor(type: number): Buffer {
  const descriptor = Buffer.alloc(SECTOR_BYTES);
  descriptor[DESCRIPTOR.type] = type;
  descriptor.write(STANDARD_ID, DESCRIPTOR.standardId, 'latin1');
  descriptor[DESCRIPTOR.version] = 1;
  return descriptor;
}

function encodePrimary(volumeId: string, geometry: Geometry): Buffer {
  const descriptor = encodeDescriptor(DESCRIPTOR_TYPE.primary);
  descriptor.fill(' ', DESCRIPTOR.systemId, DESCRIPTOR.volumeId + IDENTIFIER_BYTES);
  descriptor.write(volumeId, DESCRIPTOR.volumeId, 'latin1');
  writeBoth32(descriptor, geometry.volumeSectors, DESCRIPTOR.volumeSectors);
  writeBoth16(descriptor, 1, DESCRIPTOR.volumeSetSize);
  writeBoth16(descriptor, VOLUME_SEQUENCE, DESCRIPTOR.volumeSequence);
  writeBoth16(descriptor, SECTOR_BYTES, DESCRIPTOR.sectorBytes);
  writeBoth32(descriptor, geometry.pathTableBytes, DESCRIPTOR.pathTableBytes);
  descriptor.writeUInt32LE(geometry.littleEndianTable, DESCRIPTOR.pathTableLittleEndian);
  descriptor.writeUInt32BE(geometry.bigEndianTable, DESCRIPTOR.pathTableBigEndian);
  encodeRecord(SELF, geometry.root.sector, SECTOR_BYTES, RECORD_FLAG.directory).copy(
    descriptor,
    DESCRIPTOR.rootRecord,
  );
  descriptor.fill(' ', DESCRIPTOR.texts, DESCRIPTOR.dates);
  descriptor.write(NO_DATE.repeat(DATE_COUNT), DESCRIPTOR.dates, 'latin1');
  descriptor[DESCRIPTOR.fileStructureVersion] = 1;
  return descriptor;
}

/**
 * Encodes files as an ISO 9660 level 1 image: sorted names, no dates, not bootable, the same bytes each time.
 * Throws ISO_INVALID when two names become the same, a directory outgrows one sector or the volume id is too long.
 */
export function encodeIso9660({ volumeId, files }: IsoContent): EncodedIso {
  if (!/^[\x21-\x7e]{1,32}$/.test(volumeId)) {
    refuse(`volume id ${JSON.stringify(volumeId)}, want 1 to ${IDENTIFIER_BYTES} visible ASCII characters`);
  }
  const root = buildTree(files);
  const directories = listDirectories(root);
  const pathTableBytes = encodePathTable(directories, false).length;
  const littleEndianTable = SYSTEM_AREA_BYTES / SECTOR_BYTES + 2;
  const bigEndianTable = littleEndianTable + sectorsFor(pathTableBytes);
  let sector = bigEndianTable + sectorsFor(pathTableBytes);
  for (const directory of directories) directory.sector = sector++;
  const nodes = directories.flatMap((directory) => byName(directory.files));
  for (const node of nodes) {
    node.sector = sector;
    sector += sectorsFor(node.bytes.length);
  }

  const image = Buffer.alloc(sector * SECTOR_BYTES);
  const put = (bytes: Uint8Array, at: number) => image.set(bytes, at * SECTOR_BYTES);
  const geometry = { volumeSectors: sector, pathTableBytes, littleEndianTable, bigEndianTable, root };
  put(encodePrimary(volumeId, geometry), SYSTEM_AREA_BYTES / SECTOR_BYTES);
  put(encodeDescriptor(DESCRIPTOR_TYPE.terminator), SYSTEM_AREA_BYTES / SECTOR_BYTES + 1);
  put(encodePathTable(directories, false), littleEndianTable);
  put(encodePathTable(directories, true), bigEndianTable);
  for (const directory of directories) put(encodeDirectory(directory), directory.sector);
  for (const node of nodes) put(node.bytes, node.sector);
  return { bytes: image, offsets: new Map(nodes.map((node) => [node.path, node.sector * SECTOR_BYTES])) };
}
