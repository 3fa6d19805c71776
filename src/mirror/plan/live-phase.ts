import type { LockedBlob, LockedImage } from '../resolve/lock.ts';

/** What the live phase keeps in RAM, in bytes; an estimate, since registries only tell packed sizes. */
export interface LivePhase {
  readonly images: number;
  /** The bootstrap images and the tools, unpacked, layers shared. */
  readonly storeBytes: number;
  /** The layers that are being unpacked at one time: each is written out packed first. */
  readonly spoolBytes: number;
  /** The file system into which the node image is checked out; 0 before 4.19. */
  readonly nodeImageBytes: number;
  /** The sum. The live system gives all of it half of the machine's RAM. */
  readonly neededBytes: number;
  readonly ramBytes: number;
}

/** Bytes of files a packed byte becomes: release layers unpack to 2.5 to 3 times their size. */
const UNPACKED_RATIO = 2.75;
/** Layers unpacked at once: what podman and the preload script do by default. */
const LAYERS_AT_ONCE = 2;
const GIB = 1024 ** 3;

/** Size of the tmpfs of the node image checkout by minor of release 4: 4 GiB in 4.19 and 4.20, 5 GiB from 4.21. */
function nodeImageBytes(version: string | undefined): number {
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version ?? '') ?? [];
  if (major === undefined || Number(major) < 4) return 0;
  if (Number(major) > 4) return 5 * GIB;
  return Number(minor) >= 21 ? 5 * GIB : Number(minor) >= 19 ? 4 * GIB : 0;
}

/** Estimates what installing takes of a machine's RAM before its disk can be written; `version` is the release's. */
export function livePhase(images: readonly LockedImage[], version?: string): LivePhase {
  const needed = images.filter(({ roles }) => roles.includes('bootstrap') || roles.includes('tool'));
  // The node image is not loaded into the container store: it is checked out into the file system of its own.
  const live = needed.filter(({ roles }) => !roles.includes('os'));
  const blobs = new Map(live.flatMap((image) => image.blobs).map((blob) => [blob.digest, blob]));
  const sum = (list: readonly LockedBlob[]): number =>
    list.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
  const largest = [...blobs.values()].sort((a, b) => b.sizeBytes - a.sizeBytes).slice(0, LAYERS_AT_ONCE);
  const storeBytes = Math.ceil(sum([...blobs.values()]) * UNPACKED_RATIO);
  const spoolBytes = sum(largest);
  const checkout = needed.length === 0 ? 0 : nodeImageBytes(version);
  const neededBytes = storeBytes + spoolBytes + checkout;
  return {
    images: needed.length,
    storeBytes,
    spoolBytes,
    nodeImageBytes: checkout,
    neededBytes,
    ramBytes: neededBytes * 2,
  };
}
