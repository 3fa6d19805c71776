import type { ReadAt } from '../../formats/iso9660.ts';
import { SYSTEM_AREA_BYTES } from '../../formats/iso9660-layout.ts';

// The last 24 bytes of the system area, 2019 to 2022-02: magic, u64 offset, u64 size, little-endian.
const IGNITION_HEADER = { magic: 0, offset: 8, sizeBytes: 16, end: 24 } as const;
const IGNITION_MAGIC = 'coreiso+';
const IGNITION_HEADER_OFFSET = SYSTEM_AREA_BYTES - IGNITION_HEADER.end;

// The 72 bytes before, 2021 to 2022-02: magic, u64 area size, u64 offset of the defaults, six u64 offsets of areas,
// of which 0 is none, little-endian.
const KARGS_HEADER = { magic: 0, sizeBytes: 8, defaultOffset: 16, areaOffsets: 24, end: 72 } as const;
const KARGS_MAGIC = 'coreKarg';
const KARGS_HEADER_OFFSET = IGNITION_HEADER_OFFSET - KARGS_HEADER.end;

const NUMBER_BYTES = 8;

/** Where a header says the Ignition area is; nothing of it is checked. */
interface IgnitionHeader {
  readonly offset: number;
  readonly sizeBytes: number;
}

/** Where a header says the kernel argument areas are; nothing of it is checked. */
interface KargsHeader {
  readonly sizeBytes: number;
  readonly defaultOffset: number;
  readonly areaOffsets: readonly number[];
}

async function readHeader(
  readAt: ReadAt,
  offset: number,
  length: number,
  magic: string,
): Promise<Buffer | undefined> {
  const header = Buffer.from(await readAt(offset, length));
  return header.length === length && header.toString('latin1', 0, magic.length) === magic
    ? header
    : undefined;
}

/** Larger numbers than a file can have lose their last digits, which no comparison with a file's size notices. */
function numberAt(header: Buffer, at: number): number {
  return Number(header.readBigUInt64LE(at));
}

/** Reads the header of 2019 that tells where the Ignition area is; undefined when the image has none. */
export async function readIgnitionHeader(readAt: ReadAt): Promise<IgnitionHeader | undefined> {
  const header = await readHeader(readAt, IGNITION_HEADER_OFFSET, IGNITION_HEADER.end, IGNITION_MAGIC);
  if (header === undefined) return undefined;
  return {
    offset: numberAt(header, IGNITION_HEADER.offset),
    sizeBytes: numberAt(header, IGNITION_HEADER.sizeBytes),
  };
}

/** Reads the header of 2021 that tells where the kernel argument areas are; undefined when the image has none. */
export async function readKargsHeader(readAt: ReadAt): Promise<KargsHeader | undefined> {
  const header = await readHeader(readAt, KARGS_HEADER_OFFSET, KARGS_HEADER.end, KARGS_MAGIC);
  if (header === undefined) return undefined;
  const areaOffsets: number[] = [];
  for (let at: number = KARGS_HEADER.areaOffsets; at < KARGS_HEADER.end; at += NUMBER_BYTES) {
    const offset = numberAt(header, at);
    if (offset === 0) break;
    areaOffsets.push(offset);
  }
  return {
    sizeBytes: numberAt(header, KARGS_HEADER.sizeBytes),
    defaultOffset: numberAt(header, KARGS_HEADER.defaultOffset),
    areaOffsets,
  };
}

/** Encodes both headers, as they end the system area; the one for kernel arguments came later and may be left out. */
export function encodeLegacyHeaders(ignition: IgnitionHeader, kargs?: KargsHeader): Uint8Array {
  const bytes = Buffer.alloc(KARGS_HEADER.end + IGNITION_HEADER.end);
  const put = (value: number, at: number) => bytes.writeBigUInt64LE(BigInt(value), at);
  if (kargs !== undefined) {
    bytes.write(KARGS_MAGIC, KARGS_HEADER.magic, 'latin1');
    put(kargs.sizeBytes, KARGS_HEADER.sizeBytes);
    put(kargs.defaultOffset, KARGS_HEADER.defaultOffset);
    for (const [index, offset] of kargs.areaOffsets.entries()) {
      put(offset, KARGS_HEADER.areaOffsets + index * NUMBER_BYTES);
    }
  }
  bytes.write(IGNITION_MAGIC, KARGS_HEADER.end + IGNITION_HEADER.magic, 'latin1');
  put(ignition.offset, KARGS_HEADER.end + IGNITION_HEADER.offset);
  put(ignition.sizeBytes, KARGS_HEADER.end + IGNITION_HEADER.sizeBytes);
  return bytes;
}
