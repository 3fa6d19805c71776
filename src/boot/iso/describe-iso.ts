import { readIso9660 } from '../../formats/iso9660.ts';
import { diffKargs } from './diff-kargs.ts';
import { compressionOf, decodeEmbedArea, IGNITION_PATH, NETWORK_FOLDER } from './initrd.ts';
import { inspectImage } from './inspect-iso.ts';
import type { IsoImage } from './iso-image.ts';
import { refuseUnfinished } from './iso-source.ts';
import { kargsBudget } from './kargs-text.ts';
import { type IsoArchitecture, isoArchitecture } from './kernel-architecture.ts';
import { openImage, type ReadableImage } from './open-image.ts';
import { type OsVersion, parseOsVersion } from './os-version.ts';
import { type IsoKargs, readIgnitionArea, readKargsFrom } from './read-iso.ts';

/** How much of an area is taken. */
interface Fill {
  readonly usedBytes: number;
  readonly capacityBytes: number;
}

/** A file in the Ignition area. */
export interface EmbeddedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly kind: 'ignition' | 'network' | 'other';
}

/** All that a live ISO says of itself, and what is embedded in it, without the content. */
export interface IsoDescription {
  readonly iso: IsoImage;
  readonly os: OsVersion | undefined;
  readonly architecture: IsoArchitecture | undefined;
  /** Whether coreos-installer can make a minimal ISO of it (it has /coreos/miniso.dat). */
  readonly canBeMinimal: boolean;
  readonly ignitionFill: Fill;
  /** How the first archive in the area is packed; undefined when the area is empty. */
  readonly compression: 'gzip' | 'xz' | 'zstd' | 'none' | undefined;
  readonly embedded: readonly EmbeddedFile[];
  /** The embedded Ignition config; its version is undefined when it is no JSON that says one. */
  readonly ignition: { readonly sizeBytes: number; readonly version: string | undefined } | undefined;
  readonly kargs: (IsoKargs & Fill & { readonly changes: readonly string[] }) | undefined;
}

function kindOf(path: string): EmbeddedFile['kind'] {
  if (path === IGNITION_PATH) return 'ignition';
  return path.startsWith(`${NETWORK_FOLDER}/`) ? 'network' : 'other';
}

function specVersion(config: Uint8Array): string | undefined {
  try {
    const value: unknown = JSON.parse(Buffer.from(config).toString('utf8'));
    const { ignition } = value as { ignition?: { version?: unknown } };
    return typeof ignition?.version === 'string' ? ignition.version.slice(0, 20) : undefined;
  } catch {
    // A description is of what is there: `ignition validate` says what is wrong with it.
    return undefined;
  }
}

/** Describes an image that is open already. Throws what `describeIso` throws. */
export async function describeImage(image: ReadableImage): Promise<IsoDescription> {
  const iso = await inspectImage(image);
  const volume = await readIso9660(image.readAt, image.sizeBytes);
  const architecture = await isoArchitecture({ ...image, volume });
  const canBeMinimal = (await volume.findFile('coreos/miniso.dat')) !== undefined;
  const area = await readIgnitionArea(image, iso);
  const { files, usedBytes } = await decodeEmbedArea(area, `the Ignition embed area of ${image.path}`);
  const config = files.get(IGNITION_PATH);
  const kargs = iso.kargs === undefined ? undefined : await readKargsFrom(image, iso);
  const longName = iso.volumeSetId.startsWith(iso.volumeId) ? iso.volumeSetId : iso.volumeId;
  return {
    iso,
    os: parseOsVersion(longName),
    architecture,
    canBeMinimal,
    ignitionFill: { usedBytes, capacityBytes: area.length },
    compression:
      usedBytes === 0
        ? undefined
        : (compressionOf(area.subarray(area.findIndex((byte) => byte !== 0))) ?? 'none'),
    embedded: [...files].map(([path, bytes]) => ({ path, sizeBytes: bytes.length, kind: kindOf(path) })),
    ignition: config === undefined ? undefined : { sizeBytes: config.length, version: specVersion(config) },
    kargs:
      kargs === undefined
        ? undefined
        : {
            ...kargs,
            ...kargsBudget(kargs.current, iso.kargs?.capacityBytes ?? 0),
            changes: diffKargs(kargs.default, kargs.current),
          },
  };
}

/**
 * Describes a live ISO. Throws what `inspectIso` throws, and ISO_INVALID, CPIO_INVALID when an area cannot be read.
 */
export async function describeIso(path: string): Promise<IsoDescription> {
  await refuseUnfinished(path);
  await using image = await openImage(path);
  return await describeImage(image);
}
