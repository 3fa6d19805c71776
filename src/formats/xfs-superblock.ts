/** XFS disk format, xfs_dsb: byte positions in the superblock that begins the file system; numbers are big-endian. */
const SUPERBLOCK = {
  magic: 0,
  blockBytes: 4,
  blocks: 8,
  realtimeBlocks: 16,
  uuid: 32,
  logStart: 48,
  version: 100,
  sectorBytes: 102,
  name: 108,
  inProgress: 126,
  compat: 208,
  roCompat: 212,
  incompat: 216,
  logIncompat: 220,
} as const;

const NAME_BYTES = 12;

/** `XFSB`. */
const MAGIC = 0x58465342;

/** How many bytes of a file system are asked of `decodeXfsSuperblock`: the smallest sector there is. */
export const XFS_SUPERBLOCK_BYTES = 512;

/** What the superblock of an XFS says of itself. Feature words are 0 below version 5, which has none. */
export interface XfsSuperblock {
  /** 4, or 5 for one with checksums. */
  readonly version: number;
  readonly blockBytes: number;
  readonly sizeBytes: number;
  /** The smallest sector of a disk it can be on. */
  readonly sectorBytes: number;
  readonly uuid: string;
  /** Foreign text: show it escaped. */
  readonly label: string;
  /** Whether mkfs did not come to its end. */
  readonly isUnfinished: boolean;
  /** Whether its log is on another device. */
  readonly hasExternalLog: boolean;
  readonly hasRealtime: boolean;
  readonly compat: number;
  readonly roCompat: number;
  readonly incompat: number;
  readonly logIncompat: number;
}

/** Decodes the first 512 bytes of a file system; undefined when that is no XFS. */
export function decodeXfsSuperblock(bytes: Uint8Array): XfsSuperblock | undefined {
  const block = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (block.length < XFS_SUPERBLOCK_BYTES || block.readUInt32BE(SUPERBLOCK.magic) !== MAGIC) return undefined;
  // The upper bits tell features of the older kind.
  const version = block.readUInt16BE(SUPERBLOCK.version) & 0xf;
  const word = (at: number): number => (version < 5 ? 0 : block.readUInt32BE(at));
  const blockBytes = block.readUInt32BE(SUPERBLOCK.blockBytes);
  const hex = block.toString('hex', SUPERBLOCK.uuid, SUPERBLOCK.uuid + 16);
  return {
    version,
    blockBytes,
    sizeBytes: Number(block.readBigUInt64BE(SUPERBLOCK.blocks)) * blockBytes,
    sectorBytes: block.readUInt16BE(SUPERBLOCK.sectorBytes),
    uuid: hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5'),
    label: block.toString('utf8', SUPERBLOCK.name, SUPERBLOCK.name + NAME_BYTES).replace(/\0.*$/su, ''),
    isUnfinished: block[SUPERBLOCK.inProgress] !== 0,
    hasExternalLog: block.readBigUInt64BE(SUPERBLOCK.logStart) === 0n,
    hasRealtime: block.readBigUInt64BE(SUPERBLOCK.realtimeBlocks) !== 0n,
    compat: word(SUPERBLOCK.compat),
    roCompat: word(SUPERBLOCK.roCompat),
    incompat: word(SUPERBLOCK.incompat),
    logIncompat: word(SUPERBLOCK.logIncompat),
  };
}
