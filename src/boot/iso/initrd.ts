import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { EdgefabError } from '../../errors.ts';
import { type CpioMember, decodeCpio, encodeCpio } from '../../formats/cpio.ts';
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
/** The largest archive that is read or written; real ones have less than 1 MiB. */
export const MAX_UNPACKED_BYTES = 64 * 1024 * 1024;

const MAGIC = {
  gzip: [0x1f, 0x8b],
  xz: [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00],
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

function compressionOf(bytes: Uint8Array): Compression | undefined {
  return (Object.keys(MAGIC) as Compression[]).find((name) =>
    MAGIC[name].every((byte, index) => bytes[index] === byte),
  );
}

interface Unpacked {
  readonly bytes: Uint8Array;
  /** Compressed bytes used up; another archive may follow. */
  readonly usedBytes: number;
}

/** The `info` option of node:zlib, which its types leave out: the result and the engine that made it. */
function unpackWithInfo(
  unpack: (bytes: Uint8Array, options: { maxOutputLength: number; info: true }) => unknown,
  bytes: Uint8Array,
): Unpacked {
  const result = unpack(bytes, { maxOutputLength: MAX_UNPACKED_BYTES, info: true });
  const { buffer, engine } = result as { buffer: Uint8Array; engine: { bytesWritten: number } };
  return { bytes: buffer, usedBytes: engine.bytesWritten };
}

async function unpack(compression: Compression, bytes: Uint8Array): Promise<Unpacked> {
  switch (compression) {
    case 'gzip':
      return unpackWithInfo(gunzipSync, bytes);
    case 'zstd':
      return unpackWithInfo(zstdDecompressSync, bytes);
    case 'xz': {
      const { decompress } = await loadLiblzma();
      const unpacked = await decompress(bytes);
      if (unpacked.length > MAX_UNPACKED_BYTES) throw new RangeError('larger than any real archive');
      // Nothing writes a second archive behind xz, so where the stream ends is not looked for.
      return { bytes: unpacked, usedBytes: bytes.length };
    }
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
  readonly usedBytes: number;
}

async function decodeArchive(bytes: Uint8Array, place: string): Promise<Archive> {
  const compression = compressionOf(bytes);
  try {
    const unpacked =
      compression === undefined ? { bytes, usedBytes: bytes.length } : await unpack(compression, bytes);
    return { members: decodeCpio(unpacked.bytes), usedBytes: unpacked.usedBytes };
  } catch (cause) {
    if (cause instanceof EdgefabError) {
      const { code, suggestions } = cause;
      throw new EdgefabError(`${place} cannot be read: ${cause.message}`, { code, suggestions, cause });
    }
    throw new EdgefabError(`${compression} data in ${place} cannot be unpacked`, {
      code: 'ISO_INVALID',
      cause,
    });
  }
}

/**
 * Decodes an embed area: archives, plain or compressed with gzip, xz or zstd, with zeros around them; all zeros is
 * an empty area. Gives the regular files by path, the last of a name. Throws ISO_INVALID naming `place`,
 * CPIO_INVALID, TOOL_MISSING when xz cannot be read here.
 */
export async function decodeInitrd(area: Uint8Array, place: string): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  let rest = withoutLeadingZeros(area);
  while (rest.length > 0) {
    const { members, usedBytes } = await decodeArchive(rest, place);
    for (const { name, mode, bytes } of members) {
      if ((mode & FILE_TYPE) === REGULAR_FILE) files.set(name, bytes);
    }
    rest = withoutLeadingZeros(rest.subarray(usedBytes));
  }
  return files;
}
