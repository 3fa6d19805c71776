import { type ReadAt, readIso9660 } from '../../formats/iso9660.ts';
import { decodeOsmet, type OsmetSummary } from '../../formats/osmet.ts';
import { openImage } from './open-image.ts';

/** Not compressed, since the live system mounts the squashfs in the middle of it. */
const ROOTFS = 'images/pxeboot/rootfs.img';

/** cpio(5), "New ASCII Format": a magic of 6 digits and 13 fields of 8; which field is where, counting from 0. */
const CPIO = { headerBytes: 110, fileSize: 6, nameSize: 11 } as const;
const CPIO_TRAILER = 'TRAILER!!!';

// A root file system, and an osmet or two; their block maps have a few megabytes.
const MAX_MEMBERS = 64;
const MAX_NAME_BYTES = 4096;
const MAX_MAP_BYTES = 64 * 1024 * 1024;

/**
 * Reads what a CoreOS live ISO will write to a disk: its osmet files, one for each sector size, are members of
 * the root file system archive. Empty for an ISO that has none (a minimal one, or of another kind). Throws
 * FILE_UNREADABLE, ISO_INVALID.
 */
export async function readInstalledImages(path: string): Promise<OsmetSummary[]> {
  await using image = await openImage(path);
  const volume = await readIso9660(image.readAt, image.sizeBytes);
  const rootfs = await volume.findFile(ROOTFS);
  if (rootfs === undefined) return [];
  const readAt: ReadAt = (offset, length) =>
    image.readAt(rootfs.offset + offset, Math.max(0, Math.min(length, rootfs.sizeBytes - offset)));
  const found: OsmetSummary[] = [];
  let at = 0;
  for (let count = 0; count < MAX_MEMBERS; count += 1) {
    const member = await readMember(readAt, at);
    if (member === undefined || member.name === CPIO_TRAILER) break;
    if (member.name.endsWith('.osmet')) {
      const length = Math.min(member.sizeBytes, MAX_MAP_BYTES, rootfs.sizeBytes);
      const osmet = decodeOsmet(await readAt(member.offset, length));
      if (osmet !== undefined) found.push(osmet);
    }
    at = align(member.offset + member.sizeBytes);
  }
  return found;
}

/** Reads the header of the member at this offset of the archive; undefined where there is none. */
async function readMember(
  readAt: ReadAt,
  at: number,
): Promise<{ readonly name: string; readonly offset: number; readonly sizeBytes: number } | undefined> {
  const header = Buffer.from(await readAt(at, CPIO.headerBytes)).toString('latin1');
  if (!/^070701[0-9a-fA-F]{104}$/.test(header)) return undefined;
  const field = (index: number): number => Number.parseInt(header.slice(6 + 8 * index, 14 + 8 * index), 16);
  const nameBytes = field(CPIO.nameSize);
  if (nameBytes === 0 || nameBytes > MAX_NAME_BYTES) return undefined;
  const name = Buffer.from(await readAt(at + CPIO.headerBytes, nameBytes - 1)).toString('utf8');
  return { name, offset: align(at + CPIO.headerBytes + nameBytes), sizeBytes: field(CPIO.fileSize) };
}

/** Names and contents end on multiples of 4 bytes from the start of the archive. */
function align(offset: number): number {
  return Math.ceil(offset / 4) * 4;
}
