import { promisify } from 'node:util';
import { constants, gzip as gzipWithCallback } from 'node:zlib';
import { EdgefabError } from '../../errors.ts';
import { encodeInitrd, IGNITION_PATH, NETWORK_FOLDER, type NetworkFile } from './initrd.ts';
import { loadLiblzma } from './liblzma.ts';

/** The size of the Ignition area in every CoreOS live ISO so far. */
export const USUAL_AREA_BYTES = 262_144;

/** How much of an embed area an archive takes up. */
export interface EmbedBudget {
  readonly compression: 'gzip' | 'xz';
  readonly compressedBytes: number;
}

interface CompressedInitrd extends EmbedBudget {
  readonly bytes: Uint8Array;
  /** Why it is not xz although gzip did not fit. */
  readonly xzProblem?: EdgefabError;
}

// RFC 1952 2.3: the tenth byte names the system that compressed; it must not differ between workstations.
const GZIP_SYSTEM = { offset: 9, unix: 3 } as const;

const gzipOnThread = promisify<Uint8Array, { level: number }, Uint8Array>(gzipWithCallback);

async function gzip(bytes: Uint8Array): Promise<Uint8Array> {
  const packed = await gzipOnThread(bytes, { level: constants.Z_BEST_COMPRESSION });
  packed[GZIP_SYSTEM.offset] = GZIP_SYSTEM.unix;
  return packed;
}

/**
 * Compresses an archive with gzip level 9, which every kernel reads, else with xz when that is more than
 * `areaBytes`. The result may still be too large; when xz cannot be had it stays gzip and says why.
 */
export async function compressInitrd(archive: Uint8Array, areaBytes: number): Promise<CompressedInitrd> {
  const gzipped = await gzip(archive);
  const asGzip = { compression: 'gzip', compressedBytes: gzipped.length, bytes: gzipped } as const;
  if (gzipped.length <= areaBytes) return asGzip;
  try {
    const { compress } = await loadLiblzma();
    const bytes = await compress(archive);
    return { compression: 'xz', compressedBytes: bytes.length, bytes };
  } catch (error) {
    if (error instanceof EdgefabError) return { ...asGzip, xzProblem: error };
    throw error;
  }
}

/** Computes what Ignition and network files will take up of an embed area, before anything is written. */
export async function embedBudget(
  ignition: Uint8Array,
  areaBytes: number = USUAL_AREA_BYTES,
  networkFiles: readonly NetworkFile[] = [],
): Promise<EmbedBudget> {
  const archive = encodeInitrd([
    { path: IGNITION_PATH, bytes: ignition },
    ...networkFiles.map(({ name, bytes }) => ({ path: `${NETWORK_FOLDER}/${name}`, bytes })),
  ]);
  const { compression, compressedBytes } = await compressInitrd(archive, areaBytes);
  return { compression, compressedBytes };
}
