import { EdgefabError } from '../errors.ts';

/** A tar is made of blocks of this many bytes; two blocks of zeros end it (POSIX pax, "ustar Interchange Format"). */
export const TAR_BLOCK_BYTES = 512;

/** [offset, length] of the header fields this module reads or writes (POSIX pax, "ustar header block"). */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  mtime: [136, 12],
  checksum: [148, 8],
  typeflag: [156, 1],
  magic: [257, 8],
} as const;

const REGULAR_FILE = '0';
const MAGIC = 'ustar\x0000';
const MODE = 0o644;
/** The largest size eleven octal digits hold; above it GNU and POSIX readers take a big-endian binary number. */
const MAX_OCTAL_BYTES = 8 ** 11 - 1;

/** A regular file in a tar. */
export interface TarFile {
  readonly name: string;
  readonly sizeBytes: number;
}

/** The bytes a file takes in a tar: its header and its content, filled up to whole blocks. */
export function tarFileBytes(sizeBytes: number): number {
  return TAR_BLOCK_BYTES + Math.ceil(sizeBytes / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
}

function octal(value: number, length: number): string {
  return `${value.toString(8).padStart(length - 1, '0')}\0`;
}

function checksum(header: Buffer): number {
  const [offset, length] = FIELD.checksum;
  return header.reduce((sum, byte, at) => sum + (at >= offset && at < offset + length ? 0x20 : byte), 0);
}

/** Writes the header of a regular file, the same bytes for the same file: no owner, no time. */
export function encodeTarHeader({ name, sizeBytes }: TarFile): Uint8Array {
  if (!/^[\x21-\x7e]{1,100}$/.test(name)) throw new RangeError(`"${name}" does not fit a ustar name`);
  const header = Buffer.alloc(TAR_BLOCK_BYTES);
  const put = (field: keyof typeof FIELD, text: string): void =>
    void header.write(text, FIELD[field][0], 'latin1');
  put('name', name);
  put('mode', octal(MODE, 8));
  put('uid', octal(0, 8));
  put('gid', octal(0, 8));
  put('mtime', octal(0, 12));
  if (sizeBytes <= MAX_OCTAL_BYTES) {
    put('size', octal(sizeBytes, 12));
  } else {
    header[FIELD.size[0]] = 0x80;
    header.writeUIntBE(sizeBytes, FIELD.size[0] + 6, 6);
  }
  put('typeflag', REGULAR_FILE);
  put('magic', MAGIC);
  put('checksum', `${octal(checksum(header), 7)} `);
  return header;
}

/**
 * Reads a header, which must be one `encodeTarHeader` writes, byte for byte: links, folders, devices, extended
 * headers and other spellings are refused, so that no two readers can see different files. Throws TAR_INVALID.
 */
export function decodeTarHeader(bytes: Uint8Array, where: string): TarFile {
  const fault = (what: string): EdgefabError =>
    new EdgefabError(`${where}: ${what}`, { code: 'TAR_INVALID', place: { file: where } });
  const header = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (field: keyof typeof FIELD): string => {
    const [offset, length] = FIELD[field];
    return header.toString('latin1', offset, offset + length).replace(/\0.*$/s, '');
  };
  if (header.length !== TAR_BLOCK_BYTES || !text('magic').startsWith('ustar')) throw fault('is not a tar');
  const name = text('name');
  const type = text('typeflag');
  if (type !== REGULAR_FILE) throw fault(`holds ${JSON.stringify(name)} of type "${type}", want a file`);
  const binary = header[FIELD.size[0]] === 0x80;
  const sizeBytes = binary ? header.readUIntBE(FIELD.size[0] + 6, 6) : Number.parseInt(text('size'), 8);
  const file = { name, sizeBytes };
  const sane = /^[\x21-\x7e]+$/.test(name) && Number.isSafeInteger(sizeBytes) && sizeBytes >= 0;
  if (!sane || !header.equals(encodeTarHeader(file))) {
    throw fault(`has a header of ${JSON.stringify(name)} that edgefab does not write`);
  }
  return file;
}
