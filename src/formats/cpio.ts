import { EdgefabError } from '../errors.ts';

/** One entry of an archive; `mode` holds type and permission bits as in `stat(2)`. */
export interface CpioMember {
  readonly name: string;
  readonly mode: number;
  readonly bytes: Uint8Array;
}

// The "newc" layout, cpio(5) "New ASCII Format": a 6-byte magic, then these fields as 8 hex digits each,
// then the name with its NUL, then the data. Name and data each end on a multiple of 4 from the archive's start.
const MAGIC = '070701';
const MAGIC_WITH_CHECKSUM = '070702';
const FIELDS = [
  'ino',
  'mode',
  'uid',
  'gid',
  'nlink',
  'mtime',
  'filesize',
  'devmajor',
  'devminor',
  'rdevmajor',
  'rdevminor',
  'namesize',
  'check',
] as const;
type Field = (typeof FIELDS)[number];
type Header = Readonly<Record<Field, number>>;

const FIELD_DIGITS = 8;
const HEADER_BYTES = MAGIC.length + FIELDS.length * FIELD_DIGITS;
const TRAILER = 'TRAILER!!!';
const MAX_NAME_BYTES = 4096;
const MAX_MEMBERS = 100_000;
const MAX_U32 = 0xffff_ffff;

function padding(length: number): number {
  return -length & 3;
}

function encodeEntry(member: CpioMember, ino: number): Uint8Array[] {
  const name = Buffer.from(`${member.name}\0`);
  const header: Header = {
    ino,
    mode: member.mode,
    uid: 0,
    gid: 0,
    nlink: 1,
    mtime: 0,
    filesize: member.bytes.length,
    devmajor: 0,
    devminor: 0,
    rdevmajor: 0,
    rdevminor: 0,
    namesize: name.length,
    check: 0,
  };
  const digits = FIELDS.map((field) => header[field].toString(16).toUpperCase().padStart(FIELD_DIGITS, '0'));
  return [
    Buffer.from(MAGIC + digits.join('')),
    name,
    new Uint8Array(padding(HEADER_BYTES + name.length)),
    member.bytes,
    new Uint8Array(padding(member.bytes.length)),
  ];
}

function checkMember(member: CpioMember): void {
  const { name, mode, bytes } = member;
  const nameBytes = Buffer.byteLength(name) + 1;
  const problem =
    name === '' || name === TRAILER || name.includes('\0')
      ? 'the name is empty, reserved or holds a NUL'
      : nameBytes > MAX_NAME_BYTES
        ? `the name has ${nameBytes} bytes, want at most ${MAX_NAME_BYTES}`
        : !Number.isInteger(mode) || mode < 0 || mode > MAX_U32
          ? `the mode is ${mode}, want 32 bits`
          : bytes.length > MAX_U32
            ? `it has ${bytes.length} bytes, want at most ${MAX_U32}`
            : undefined;
  if (problem !== undefined) {
    throw new EdgefabError(
      `cpio member ${JSON.stringify(name.slice(0, 100))} cannot be written: ${problem}`,
      {
        code: 'CPIO_INVALID',
      },
    );
  }
}

/**
 * Encodes members, in the order given, as a newc archive with nothing in it that varies from run to run:
 * inodes count from 1, owner and times are 0, one link each. Throws CPIO_INVALID on a name the format cannot hold.
 */
export function encodeCpio(members: readonly CpioMember[]): Uint8Array {
  for (const member of members) checkMember(member);
  const trailer: CpioMember = { name: TRAILER, mode: 0, bytes: new Uint8Array() };
  return Buffer.concat([
    ...members.flatMap((member, index) => encodeEntry(member, index + 1)),
    ...encodeEntry(trailer, 0),
  ]);
}

function invalid(offset: number, problem: string): EdgefabError {
  return new EdgefabError(`cpio archive is broken at offset ${offset}: ${problem}`, { code: 'CPIO_INVALID' });
}

function decodeHeader(archive: Buffer, offset: number): Header {
  if (offset + HEADER_BYTES > archive.length) {
    throw invalid(offset, `${archive.length - offset} bytes left, want a header of ${HEADER_BYTES}`);
  }
  const magic = archive.toString('latin1', offset, offset + MAGIC.length);
  if (magic !== MAGIC && magic !== MAGIC_WITH_CHECKSUM) {
    throw invalid(offset, `magic is ${JSON.stringify(magic)}, want "${MAGIC}"`);
  }
  const values = FIELDS.map((field, index) => {
    const start = offset + MAGIC.length + index * FIELD_DIGITS;
    const digits = archive.toString('latin1', start, start + FIELD_DIGITS);
    if (!/^[0-9a-fA-F]{8}$/.test(digits)) {
      throw invalid(start, `field ${field} is ${JSON.stringify(digits)}, want 8 hex digits`);
    }
    return [field, Number.parseInt(digits, 16)] as const;
  });
  return Object.fromEntries(values) as Record<Field, number>;
}

function decodeName(archive: Buffer, offset: number, nameBytes: number): string {
  if (nameBytes < 2 || nameBytes > MAX_NAME_BYTES || offset + nameBytes > archive.length) {
    throw invalid(
      offset,
      `name has ${nameBytes} bytes, want 2 to ${MAX_NAME_BYTES} and within ${archive.length} bytes`,
    );
  }
  const raw = archive.subarray(offset, offset + nameBytes);
  const end = raw.indexOf(0);
  // dracut-cpio aligns data by putting more than one NUL behind a name.
  if (end < 1 || raw.subarray(end).some((byte) => byte !== 0)) {
    throw invalid(offset, 'name does not end with NUL, or goes on behind it');
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(raw.subarray(0, end));
  } catch (cause) {
    throw new EdgefabError(`cpio archive is broken at offset ${offset}: name is not UTF-8`, {
      code: 'CPIO_INVALID',
      cause,
    });
  }
}

function skipZeros(archive: Buffer, from: number): number {
  let offset = from;
  while (offset < archive.length && archive[offset] === 0) offset += 1;
  return offset;
}

/** Members of one archive, and how many bytes it takes up, its trailer included. */
export interface CpioArchive {
  readonly members: CpioMember[];
  readonly usedBytes: number;
}

/**
 * Decodes the newc archive at `from`; what follows its trailer is not looked at. Members come in file
 * order and may repeat a name (the last one counts); their bytes are views of the input. Throws CPIO_INVALID with
 * the offset.
 */
export function decodeCpioArchive(bytes: Uint8Array, from = 0): CpioArchive {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const members: CpioMember[] = [];
  let offset = from;
  while (offset < archive.length) {
    const header = decodeHeader(archive, offset);
    const name = decodeName(archive, offset + HEADER_BYTES, header.namesize);
    const nameEnd = offset + HEADER_BYTES + header.namesize;
    const data = nameEnd + padding(nameEnd - from);
    const dataEnd = data + header.filesize;
    if (header.filesize > 0 && dataEnd > archive.length) {
      throw invalid(
        offset,
        `${JSON.stringify(name)} has ${header.filesize} bytes, want at most ${Math.max(0, archive.length - data)}`,
      );
    }
    if (name === TRAILER) return { members, usedBytes: Math.min(dataEnd, archive.length) - from };
    if (members.length === MAX_MEMBERS) throw invalid(offset, `more than ${MAX_MEMBERS} members`);
    members.push({ name, mode: header.mode, bytes: archive.subarray(data, dataEnd) });
    offset = dataEnd + padding(dataEnd - from);
  }
  throw invalid(archive.length, `the archive ends without ${TRAILER}`);
}

/**
 * Decodes one or more newc archives with any zero bytes before, between and after them, as the kernel reads an
 * initramfs. Members are as `decodeCpioArchive` gives them. Throws CPIO_INVALID with the offset.
 */
export function decodeCpio(bytes: Uint8Array): CpioMember[] {
  const archive = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const members: CpioMember[] = [];
  let start = skipZeros(archive, 0);
  while (start < archive.length) {
    const one = decodeCpioArchive(archive, start);
    if (members.length + one.members.length > MAX_MEMBERS) {
      throw invalid(start, `more than ${MAX_MEMBERS} members`);
    }
    for (const member of one.members) members.push(member);
    start = skipZeros(archive, start + one.usedBytes);
  }
  return members;
}
