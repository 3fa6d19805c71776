import type { XfsSuperblock } from '../../formats/xfs-superblock.ts';

/** What a kernel that mounts it anyway must do first, or the reason it never will. */
export interface XfsFault {
  readonly message: string;
  /** What mends it in place; without one it must be made again. */
  readonly remedy?: string;
}

/** A feature word of the superblock, and what its bits are called (XFS disk format, version 5). */
interface FeatureWord {
  readonly word: 'compat' | 'roCompat' | 'incompat' | 'logIncompat';
  /** From bit 0 on; what is behind them is newer than edgefab. */
  readonly names: readonly string[];
  /** The bits the kernel of RHEL 8.6 (4.18, RHCOS 4.12) knows: the oldest a node may have. */
  readonly allowed: number;
}

const FEATURES: readonly FeatureWord[] = [
  { word: 'compat', names: [], allowed: 0 },
  { word: 'roCompat', names: ['finobt', 'rmapbt', 'reflink', 'inobtcount'], allowed: 0b0111 },
  {
    word: 'incompat',
    names: [
      ...['ftype', 'sparse', 'meta_uuid', 'bigtime', 'needsrepair', 'nrext64', 'exchange', 'parent'],
      ...['metadir', 'zoned', 'zone gaps'],
    ],
    allowed: 0b0111,
  },
  { word: 'logIncompat', names: ['logged xattrs'], allowed: 0 },
];

const NEEDS_REPAIR = 'needsrepair';

/** The page of x86_64, and the block of every XFS mkfs makes by itself: kernels below 6.12 mount none that is larger. */
const MAX_BLOCK_BYTES = 4096;

/**
 * Says why the kernel of a node, RHCOS 4.12 or later, would not mount an XFS; empty when it would. `sectorBytes` is the
 * logical sector of the disk it is on.
 */
export function xfsFaults(superblock: XfsSuperblock, sectorBytes: number): XfsFault[] {
  const { version, isUnfinished, hasExternalLog, hasRealtime, blockBytes } = superblock;
  const faults: XfsFault[] = [];
  if (isUnfinished) faults.push({ message: 'mkfs.xfs did not finish it' });
  if (version !== 5) faults.push({ message: `it has format version ${version}, without checksums; want 5` });
  if (hasExternalLog) faults.push({ message: 'its log is on another device' });
  if (hasRealtime) faults.push({ message: 'a part of it is on another device (realtime)' });
  if (blockBytes > MAX_BLOCK_BYTES) {
    faults.push({ message: `its blocks have ${blockBytes} bytes, want at most ${MAX_BLOCK_BYTES}` });
  }
  if (superblock.sectorBytes < sectorBytes) {
    faults.push({
      message: `it was made for sectors of ${superblock.sectorBytes} bytes, its disk or the adapter shows ${sectorBytes}`,
      remedy: 'Use the adapter it was made with',
    });
  }
  const features = FEATURES.flatMap((item) => foreignFeatures(superblock, item));
  const named = features.filter((name) => name !== NEEDS_REPAIR);
  if (features.length > named.length) {
    faults.push({ message: 'it is marked as damaged', remedy: 'Unmount it and run xfs_repair on it' });
  }
  if (named.length > 0) {
    faults.push({
      message: `it has features the kernel of RHCOS 4.12 does not know: ${named.join(', ')}`,
    });
  }
  return faults;
}

function foreignFeatures(superblock: XfsSuperblock, { word, names, allowed }: FeatureWord): string[] {
  const foreign: string[] = [];
  for (let bit = 0; bit < 32; bit += 1) {
    const mask = 2 ** bit;
    const has = Math.floor(superblock[word] / mask) % 2 === 1;
    if (has && (allowed & mask) === 0) foreign.push(names[bit] ?? `${word} bit ${bit}`);
  }
  return foreign;
}
