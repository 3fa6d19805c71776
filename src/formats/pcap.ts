import { EdgefabError } from '../errors.ts';

/** One frame as it was on the wire, as much of it as was kept. */
export interface CapturedFrame {
  readonly timeMs: number;
  readonly bytes: Buffer;
}

// The classic capture file (draft-ietf-opsawg-pcap): a header of 24 bytes, then records with a header of 16.
const FILE_HEADER = { magic: 0, linkType: 20, bytes: 24 } as const;
const RECORD = { seconds: 0, fraction: 4, kept: 8, bytes: 16 } as const;
/** In either byte order; the fraction of a second is in micro- or in nanoseconds. */
const MAGIC = { micro: 0xa1b2c3d4, nano: 0xa1b23c4d } as const;
const ETHERNET = 1;
const MAX_FRAME_BYTES = 262_144;

function invalid(where: string, what: string): EdgefabError {
  return new EdgefabError(`${where} is no network capture: ${what}`, {
    code: 'PCAP_INVALID',
    place: { file: where },
    suggestions: ['Rehearse once more: the program that writes it may have been ended early'],
  });
}

/**
 * Parses a capture of Ethernet frames; `where` names it in errors. A record that is cut off at the end is left out, as
 * the one who wrote it may have been stopped in it. Throws PCAP_INVALID.
 */
export function parsePcap(bytes: Buffer, where: string): CapturedFrame[] {
  if (bytes.length < FILE_HEADER.bytes) throw invalid(where, `it has ${bytes.length} bytes`);
  const isMagic = (value: number): boolean => value === MAGIC.micro || value === MAGIC.nano;
  const little = isMagic(bytes.readUInt32LE(FILE_HEADER.magic));
  const numberAt = (at: number): number => (little ? bytes.readUInt32LE(at) : bytes.readUInt32BE(at));
  const magic = numberAt(FILE_HEADER.magic);
  if (!isMagic(magic)) throw invalid(where, `it begins with ${magic.toString(16)}`);
  const linkType = numberAt(FILE_HEADER.linkType) & 0xffff;
  if (linkType !== ETHERNET) throw invalid(where, `its link type is ${linkType}, want ${ETHERNET}, Ethernet`);
  const perMs = magic === MAGIC.nano ? 1_000_000 : 1000;
  const frames: CapturedFrame[] = [];
  for (let at: number = FILE_HEADER.bytes; at + RECORD.bytes <= bytes.length; ) {
    const kept = numberAt(at + RECORD.kept);
    if (kept > MAX_FRAME_BYTES) throw invalid(where, `the record at ${at} says it has ${kept} bytes`);
    const end = at + RECORD.bytes + kept;
    if (end > bytes.length) break;
    const timeMs = numberAt(at + RECORD.seconds) * 1000 + numberAt(at + RECORD.fraction) / perMs;
    frames.push({ timeMs, bytes: bytes.subarray(at + RECORD.bytes, end) });
    at = end;
  }
  return frames;
}
