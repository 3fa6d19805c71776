import { EdgefabError } from '../../errors.ts';
import type { GptReading } from '../../formats/gpt.ts';
import type { GptPartition } from '../../formats/gpt-copy.ts';
import { USUAL_ENTRIES_BYTES } from '../../formats/gpt-layout.ts';

/** What somebody wants of a disk: one partition for a cache. */
export interface PartitionWish {
  readonly number: number;
  /** Of the partition and of its file system. */
  readonly label: string;
  readonly size: { readonly bytes: number } | { readonly percent: number };
  /**
   * `disk`: the disk is for the cache alone. `target`: a node is installed on it, to partitions 1 to 4, so that the
   * cache goes to its end.
   */
  readonly place: 'disk' | 'target';
  /** What the installed image takes from the start of the disk, where that is known. */
  readonly imageBytes?: number;
}

/** Where the partition goes. Sectors are of the size the disk shows. */
export interface PlannedPartition {
  readonly number: number;
  readonly label: string;
  readonly firstLba: number;
  readonly lastLba: number;
}

/** What every partitioning program begins partitions at a multiple of. */
const ALIGNMENT_BYTES = 1024 * 1024;

const GiB = 1024 ** 3;

/** What stays for the node's own root file system: below, the cluster runs out of room for images and logs. */
export const ROOT_BYTES = 120 * GiB;

/** mkfs.xfs makes nothing smaller. */
const SMALLEST_BYTES = 300 * 1024 * 1024;

/** `Linux filesystem data`, as sgdisk calls it and as it is in the table. */
export const LINUX_TYPE = { code: '8300', guid: '0FC63DAF-8483-4772-8E79-3D69D8477DE4' } as const;

/**
 * Places the partition on an empty disk of this size: from the first MiB on, or before the end. Throws SPACE_SHORT with
 * the numbers, where it does not fit or leaves too little for the node.
 */
export function planPartition(
  disk: Pick<GptReading, 'sizeBytes' | 'sectorBytes'>,
  wish: PartitionWish,
): PlannedPartition {
  const { sectorBytes } = disk;
  const sectors = Math.floor(disk.sizeBytes / sectorBytes);
  // UEFI specification 5.3.1: the backup table is its entries and its header, in the last sectors.
  const usableEnd = (sectors - USUAL_ENTRIES_BYTES / sectorBytes - 1) * sectorBytes;
  const end = Math.floor(usableEnd / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  const room = Math.max(0, end - ALIGNMENT_BYTES);
  const wanted = 'bytes' in wish.size ? wish.size.bytes : Math.floor((room / 100) * wish.size.percent);
  const size = Math.floor(wanted / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
  if (size > room) {
    throw short(`the partition is to have ${size} bytes, the disk has room for ${room}`, [
      'Give a smaller --size, or use a larger disk',
    ]);
  }
  if (size < SMALLEST_BYTES) {
    throw short(`the partition would have ${size} bytes, the smallest XFS has ${SMALLEST_BYTES}`, [
      'Give a larger --size, or use a larger disk',
    ]);
  }
  const first = wish.place === 'disk' ? ALIGNMENT_BYTES : end - size;
  if (wish.place === 'target') assertRoom(first, room, wish);
  const { number, label } = wish;
  return { number, label, firstLba: first / sectorBytes, lastLba: (first + size) / sectorBytes - 1 };
}

/** What is before the cache is for the node: the image as it is written, and what root then grows to. */
function assertRoom(first: number, room: number, { imageBytes = 0 }: PartitionWish): void {
  const most = Math.max(0, room - ROOT_BYTES);
  if (first - ALIGNMENT_BYTES < ROOT_BYTES) {
    throw short(
      `before the partition ${first - ALIGNMENT_BYTES} bytes would be left for the node, want at least ${ROOT_BYTES} (120 GiB)`,
      [
        most < SMALLEST_BYTES
          ? 'This disk is too small for a node and a cache: leave the cache on the USB disk (cache.location: usb)'
          : `Give a --size of at most ${Math.floor(most / GiB)}GiB, or leave the cache on the USB disk (cache.location: usb)`,
      ],
    );
  }
  if (imageBytes > first) {
    throw short(`the installed image takes ${imageBytes} bytes, the partition would begin at ${first}`, [
      'Give a smaller --size',
    ]);
  }
}

function short(message: string, suggestions: readonly string[]): EdgefabError {
  return new EdgefabError(message, { code: 'SPACE_SHORT', suggestions });
}

/** Finds the partition in a table when it is exactly what was planned; its GUID may be any. */
export function findPlanned(
  { table }: Pick<GptReading, 'table'>,
  planned: PlannedPartition,
): GptPartition | undefined {
  return table?.partitions.find(
    ({ number, name, firstLba, lastLba, type }) =>
      number === planned.number &&
      name === planned.label &&
      firstLba === planned.firstLba &&
      lastLba === planned.lastLba &&
      type === LINUX_TYPE.guid,
  );
}
