import type { LockedBlob, LockedImage } from '../resolve/lock.ts';

/** How a machine gets its images: from a registry on its loopback, or loaded into its image store. */
export type DeliveryMode = 'registry' | 'preload';

/** What the live phase keeps in RAM, in bytes; an estimate, since registries only tell packed sizes. */
export interface LivePhase {
  readonly mode: DeliveryMode;
  readonly images: number;
  /** The bootstrap images, unpacked, layers shared; in mode registry also the registry's image in a store of its own. */
  readonly storeBytes: number;
  /** The images that are being unpacked at one time: their layers are written out packed first. */
  readonly spoolBytes: number;
  /** The file system into which the node image is checked out; 0 before 4.19. */
  readonly nodeImageBytes: number;
  /** The sum. The live system gives all of it half of the machine's RAM. */
  readonly neededBytes: number;
  readonly ramBytes: number;
}

export interface LivePhaseOptions {
  /** The release's. */
  readonly version: string | undefined;
  readonly mode: DeliveryMode;
}

/** Bytes of files a packed byte becomes: release layers unpack to 2.5 to 3 times their size. */
const UNPACKED_RATIO = 2.75;
/** Images unpacked at once: the bootstrap pulls one after the other, the preload script loads two. */
const IMAGES_AT_ONCE: Readonly<Record<DeliveryMode, number>> = { registry: 1, preload: 2 };
const GIB = 1024 ** 3;

/** Tells whether a release pulls its node image in the live phase already, as those from 4.19 on do. */
export function pullsNodeImage(version: string | undefined): boolean {
  return nodeImageBytes(version) > 0;
}

/** Size of the tmpfs of the node image checkout by minor of release 4: 4 GiB in 4.19 and 4.20, 5 GiB from 4.21. */
function nodeImageBytes(version: string | undefined): number {
  const [, major, minor] = /^(\d+)\.(\d+)\./.exec(version ?? '') ?? [];
  if (major === undefined || Number(major) < 4) return 0;
  if (Number(major) > 4) return 5 * GIB;
  return Number(minor) >= 21 ? 5 * GIB : Number(minor) >= 19 ? 4 * GIB : 0;
}

function bytesOf(images: readonly LockedImage[]): number {
  const blobs = new Map<string, LockedBlob>(
    images.flatMap((image) => image.blobs.map((blob) => [blob.digest, blob] as const)),
  );
  return [...blobs.values()].reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}

/** Estimates what installing takes of a machine's RAM before its disk can be written. */
export function livePhase(images: readonly LockedImage[], { version, mode }: LivePhaseOptions): LivePhase {
  const bootstrap = images.filter(({ roles }) => roles.includes('bootstrap'));
  // The node image is not loaded into the container store: it is checked out into the file system of its own.
  const stored = bootstrap.filter(({ roles }) => !roles.includes('os'));
  const tools = mode === 'registry' ? images.filter(({ roles }) => roles.includes('tool')) : [];
  const largest = [...new Set([...stored, ...tools])]
    .sort((a, b) => bytesOf([b]) - bytesOf([a]))
    .slice(0, IMAGES_AT_ONCE[mode]);
  // Two stores share no layers.
  const storeBytes = Math.ceil((bytesOf(stored) + bytesOf(tools)) * UNPACKED_RATIO);
  const spoolBytes = bytesOf(largest);
  const checkout = bootstrap.length === 0 ? 0 : nodeImageBytes(version);
  const neededBytes = storeBytes + spoolBytes + checkout;
  return {
    mode,
    images: new Set([...bootstrap, ...tools]).size,
    storeBytes,
    spoolBytes,
    nodeImageBytes: checkout,
    neededBytes,
    ramBytes: neededBytes * 2,
  };
}
