import { zstdDecompressSync } from 'node:zlib';
import { EdgefabError } from '../../errors.ts';
import { type CpioMember, decodeCpio, decodeCpioArchive, encodeCpio } from '../../formats/cpio.ts';
import { unpackGzipMember } from '../../formats/gzip-member.ts';
import { findXzStream, XZ_MAGIC } from '../../formats/xz-stream.ts';
import { loadLiblzma } from './liblzma.ts';

/** A regular file in the archive that the live system unpacks over its initramfs. */
export interface InitrdFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Where the live system looks for its Ignition config. */
export const IGNITION_PATH = 'config.ign';
/** A NetworkManager keyfile for the live system, by plain file name. */
export interface NetworkFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/**
 * Where the live system looks for NetworkManager keyfiles. Its initramfs copies them to /run/NetworkManager and, when
 * it hands over, to /etc/NetworkManager/system-connections of the live system.
 */
export const NETWORK_FOLDER = 'etc/coreos-firstboot-network';

const REGULAR_FILE = 0o100_000;
const FILE_TYPE = 0o170_000;
const FILE_MODE = REGULAR_FILE | 0o600;
const FOLDER_MODE = 0o040_755;
/** The most that is read of or written to an area, unpacked; real archives have less than 1 MiB. */
export const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

const CORRUPT_REMEDY =
  'Empty the area with edgefab iso reset and embed again, or start from the ISO as downloaded';
// An area has one archive as edgefab and coreos-installer write it; a handful when others add theirs.
const MAX_ARCHIVES = 1024;

const MAGIC = {
  gzip: [0x1f, 0x8b],
  xz: XZ_MAGIC,
  zstd: [0x28, 0xb5, 0x2f, 0xfd],
} as const;
type Compression = keyof typeof MAGIC;

/**
 * Encodes files, sorted by path, as an uncompressed archive; each folder comes before what is in it, because the
 * kernel does not make missing ones.
 */
export function encodeInitrd(files: readonly InitrdFile[]): Uint8Array {
  const members = new Map<string, CpioMember>();
  const sorted = [...files].sort((left, right) => (left.path < right.path ? -1 : 1));
  for (const { path, bytes } of sorted) {
    const folders = path.split('/').slice(0, -1);
    for (let depth = 1; depth <= folders.length; depth += 1) {
      const name = folders.slice(0, depth).join('/');
      members.set(name, { name, mode: FOLDER_MODE, bytes: new Uint8Array() });
    }
    members.set(path, { name: path, mode: FILE_MODE, bytes });
  }
  return encodeCpio([...members.values()]);
}

/** Tells how an archive is compressed; undefined when it is not. */
export function compressionOf(bytes: Uint8Array): Compression | undefined {
  return (Object.keys(MAGIC) as Compression[]).find((name) =>
    MAGIC[name].every((byte, index) => bytes[index] === byte),
  );
}

interface Unpacked {
  readonly bytes: Uint8Array;
  /** Compressed bytes used up; another archive may follow. */
  readonly usedBytes: number;
}

function unpackZstd(bytes: Uint8Array, maxBytes: number): Unpacked {
  // The `info` option of node:zlib, which its types leave out: the result and the engine that made it.
  const result: unknown = zstdDecompressSync(bytes, { maxOutputLength: maxBytes, info: true } as {
    maxOutputLength: number;
  });
  const { buffer, engine } = result as { buffer: Uint8Array; engine: { bytesWritten: number } };
  return { bytes: buffer, usedBytes: engine.bytesWritten };
}

/** How many bytes of room the binding makes for one byte of input, at first. */
const ROOM_PER_BYTE = 4;

async function unpackXz(bytes: Uint8Array, maxBytes: number): Promise<Unpacked> {
  const stream = findXzStream(bytes);
  if (stream === undefined) throw new RangeError('the xz stream has no sound end');
  if (stream.unpackedBytes > maxBytes) throw new RangeError('larger than any real archive');
  const { decompress } = await loadLiblzma();
  // liblzma's binding makes room by the size of its input; zeros behind the stream are not looked at.
  const input = new Uint8Array(Math.max(stream.lengthBytes, Math.ceil(stream.unpackedBytes / ROOM_PER_BYTE)));
  input.set(bytes.subarray(0, stream.lengthBytes));
  const unpacked = await decompress(input);
  if (unpacked.length > maxBytes) throw new RangeError('larger than any real archive');
  return { bytes: unpacked, usedBytes: stream.lengthBytes };
}

async function unpack(compression: Compression, bytes: Uint8Array, maxBytes: number): Promise<Unpacked> {
  switch (compression) {
    case 'gzip':
      return unpackGzipMember(bytes, maxBytes);
    case 'zstd':
      return unpackZstd(bytes, maxBytes);
    case 'xz':
      return await unpackXz(bytes, maxBytes);
    default:
      return compression satisfies never;
  }
}

function withoutLeadingZeros(bytes: Uint8Array): Uint8Array {
  const index = bytes.findIndex((byte) => byte !== 0);
  return index === -1 ? bytes.subarray(bytes.length) : bytes.subarray(index);
}

interface Archive {
  readonly members: readonly CpioMember[];
  readonly unpackedBytes: number;
  readonly usedBytes: number;
}

async function decodeArchive(bytes: Uint8Array, maxBytes: number, place: string): Promise<Archive> {
  const compression = compressionOf(bytes);
  try {
    if (compression !== undefined) {
      const unpacked = await unpack(compression, bytes, maxBytes);
      const members = decodeCpio(unpacked.bytes);
      return { members, unpackedBytes: unpacked.bytes.length, usedBytes: unpacked.usedBytes };
    }
    const { members, usedBytes } = decodeCpioArchive(bytes);
    return { members, unpackedBytes: 0, usedBytes };
  } catch (cause) {
    if (cause instanceof EdgefabError) {
      const { code, suggestions } = cause;
      throw new EdgefabError(`${place} cannot be read: ${cause.message}`, {
        code,
        suggestions: suggestions.length > 0 ? suggestions : [CORRUPT_REMEDY],
        cause,
      });
    }
    throw new EdgefabError(`${compression} data in ${place} cannot be unpacked`, {
      code: 'ISO_INVALID',
      suggestions: [CORRUPT_REMEDY],
      cause,
    });
  }
}

/** What an embed area holds. */
export interface DecodedInitrd {
  /** Regular files by path, the last of a name. */
  readonly files: Map<string, Uint8Array>;
  /** Bytes of the area up to the end of its last archive. */
  readonly usedBytes: number;
}

/**
 * Decodes an embed area: archives, plain or compressed with gzip, xz or zstd, with zeros around them; all zeros is
 * an empty area. Throws ISO_INVALID naming `place`, CPIO_INVALID, TOOL_MISSING when xz cannot be read here.
 */
export async function decodeEmbedArea(area: Uint8Array, place: string): Promise<DecodedInitrd> {
  const files = new Map<string, Uint8Array>();
  let rest = withoutLeadingZeros(area);
  let left = MAX_UNPACKED_BYTES;
  let end = 0;
  for (let archives = 0; rest.length > 0; archives += 1) {
    if (archives === MAX_ARCHIVES || left < 1) {
      throw new EdgefabError(
        `${place} holds more than any real one: want at most ${MAX_ARCHIVES} archives of ${MAX_UNPACKED_BYTES} bytes together`,
        { code: 'ISO_INVALID', suggestions: [CORRUPT_REMEDY] },
      );
    }
    const { members, unpackedBytes, usedBytes } = await decodeArchive(rest, left, place);
    for (const { name, mode, bytes } of members) {
      if ((mode & FILE_TYPE) === REGULAR_FILE) files.set(name, bytes);
    }
    left -= unpackedBytes;
    end = area.length - rest.length + usedBytes;
    rest = withoutLeadingZeros(rest.subarray(usedBytes));
  }
  return { files, usedBytes: end };
}

/** Decodes the files of an embed area, as `decodeEmbedArea` does. */
export async function decodeInitrd(area: Uint8Array, place: string): Promise<Map<string, Uint8Array>> {
  return (await decodeEmbedArea(area, place)).files;
}
