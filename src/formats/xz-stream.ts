import { crc32 } from 'node:zlib';

/** Where an .xz stream ends, and what it unpacks to by its own index. */
export interface XzStream {
  readonly lengthBytes: number;
  readonly unpackedBytes: number;
}

/** The .xz file format 1.2.1, 2.1.1: what every stream begins with. */
export const XZ_MAGIC: readonly number[] = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00];
// 2.1.1: the magic, two bytes of flags, CRC32 of the flags. 2.1.2: CRC32, backward size, the same flags, magic.
const HEADER = { flags: 6, end: 12 } as const;
const FOOTER = { crc: 0, backwardSize: 4, flags: 8, magic: 10, end: 12 } as const;
const FOOTER_MAGIC = Buffer.from('YZ');
// 4: everything in a stream is a multiple of four bytes; the index begins with a zero byte and ends with its CRC32.
const ALIGNMENT = 4;
const INDEX_CRC_BYTES = 4;
// 1.2: a number takes at most nine bytes, seven bits each; no archive read here needs more than six.
const MAX_NUMBER_BYTES = 6;
// Bounds of the work on bytes made to mislead: an index has a few bytes a block, and archives here have one block.
const MAX_INDEX_BYTES = 64 * 1024;
const MAX_CANDIDATES = 4096;

/** Reads the numbers of an index (4.2 and 4.3): a count, then for each block its packed and unpacked size. */
function unpackedSize(index: Buffer): number | undefined {
  let at = 1;
  const next = (): number | undefined => {
    let value = 0;
    for (let digit = 0; digit < MAX_NUMBER_BYTES; digit += 1) {
      const byte = index[at];
      if (byte === undefined) return undefined;
      at += 1;
      value += (byte & 0x7f) * 2 ** (7 * digit);
      if ((byte & 0x80) === 0) return value;
    }
    return undefined;
  };
  const count = next();
  if (count === undefined || count > index.length / 2) return undefined;
  let total = 0;
  for (let block = 0; block < count; block += 1) {
    const [packed, unpacked] = [next(), next()];
    if (packed === undefined || unpacked === undefined) return undefined;
    total += unpacked;
  }
  return total;
}

/** Reads the footer that would end at `end`; undefined unless it, its flags and the index before it agree. */
function streamEndingAt(bytes: Buffer, end: number): XzStream | undefined {
  const footer = bytes.subarray(end - FOOTER.end, end);
  const checked = footer.subarray(FOOTER.backwardSize, FOOTER.magic);
  const flags = bytes.subarray(HEADER.flags, HEADER.flags + 2);
  if (!footer.subarray(FOOTER.flags, FOOTER.magic).equals(flags)) return undefined;
  if (crc32(checked) !== footer.readUInt32LE(FOOTER.crc)) return undefined;
  const indexBytes = (footer.readUInt32LE(FOOTER.backwardSize) + 1) * ALIGNMENT;
  const start = end - FOOTER.end - indexBytes;
  if (indexBytes > MAX_INDEX_BYTES || start < HEADER.end || bytes[start] !== 0) return undefined;
  const index = bytes.subarray(start, end - FOOTER.end - INDEX_CRC_BYTES);
  if (crc32(index) !== bytes.readUInt32LE(end - FOOTER.end - INDEX_CRC_BYTES)) return undefined;
  const unpackedBytes = unpackedSize(index);
  return unpackedBytes === undefined ? undefined : { lengthBytes: end, unpackedBytes };
}

/**
 * Finds the end of the .xz stream that bytes begin with, without unpacking it: the first footer whose checksums and
 * index hold. Undefined when the stream is cut short or no stream. What the index says is only believed to refuse.
 */
export function findXzStream(bytes: Uint8Array): XzStream | undefined {
  const stream = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!XZ_MAGIC.every((byte, at) => stream[at] === byte)) return undefined;
  const smallestEnd = HEADER.end + ALIGNMENT + INDEX_CRC_BYTES + FOOTER.end;
  let candidates = 0;
  for (let at = stream.indexOf(FOOTER_MAGIC); at !== -1; at = stream.indexOf(FOOTER_MAGIC, at + 1)) {
    const end = at + FOOTER_MAGIC.length;
    if (end < smallestEnd || end % ALIGNMENT !== 0) continue;
    candidates += 1;
    if (candidates > MAX_CANDIDATES) break;
    const found = streamEndingAt(stream, end);
    if (found !== undefined) return found;
  }
  return undefined;
}
