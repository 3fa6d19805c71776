import { crc32, inflateRawSync } from 'node:zlib';

/** What a gzip member unpacks to, and the bytes it takes up, its trailer included. */
export interface GzipMember {
  readonly bytes: Uint8Array;
  readonly usedBytes: number;
}

// RFC 1952 2.3: a fixed header, optional fields by flag, deflated data, CRC32 and size of what was packed.
const HEADER = { method: 2, flags: 3, end: 10 } as const;
const METHOD_DEFLATE = 8;
const FLAG = { headerCrc: 0x02, extra: 0x04, name: 0x08, comment: 0x10, reserved: 0xe0 } as const;
const TRAILER = { crc: 0, sizeModulo: 4, end: 8 } as const;

function fail(problem: string): never {
  throw new RangeError(`gzip: ${problem}`);
}

/** Finds where the deflated data begins. */
function bodyOffset(member: Buffer): number {
  const flags = member[HEADER.flags] ?? FLAG.reserved;
  if (member[HEADER.method] !== METHOD_DEFLATE || (flags & FLAG.reserved) !== 0) fail('unknown header');
  let at: number = HEADER.end;
  if ((flags & FLAG.extra) !== 0) {
    if (at + 2 > member.length) fail('cut short in its header');
    at += 2 + member.readUInt16LE(at);
  }
  for (const text of [FLAG.name, FLAG.comment]) {
    if ((flags & text) === 0) continue;
    const end = member.indexOf(0, at);
    if (end === -1) fail('cut short in its header');
    at = end + 1;
  }
  return (flags & FLAG.headerCrc) === 0 ? at : at + 2;
}

/**
 * Unpacks the one gzip member that bytes begin with, whatever follows it: Node's gunzip takes what follows for another
 * member or an error. Throws RangeError, also when it has more than `maxBytes`, and what zlib throws.
 */
export function unpackGzipMember(bytes: Uint8Array, maxBytes: number): GzipMember {
  const member = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const body = bodyOffset(member);
  // The `info` option is not in the types: the result then comes with the engine that made it.
  const options = { maxOutputLength: maxBytes, info: true };
  const result: unknown = inflateRawSync(member.subarray(body), options);
  const { buffer, engine } = result as { buffer: Uint8Array; engine: { bytesWritten: number } };
  const trailer = body + engine.bytesWritten;
  if (trailer + TRAILER.end > member.length) fail('cut short before its checksum');
  if (member.readUInt32LE(trailer + TRAILER.crc) !== crc32(buffer)) fail('wrong checksum');
  if (member.readUInt32LE(trailer + TRAILER.sizeModulo) !== buffer.length % 2 ** 32) fail('wrong size');
  return { bytes: buffer, usedBytes: trailer + TRAILER.end };
}
