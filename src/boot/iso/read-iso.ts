import { EdgefabError } from '../../errors.ts';
import { decodeInitrd, IGNITION_PATH } from './initrd.ts';
import type { IsoImage, KargsAreas } from './iso-image.ts';
import { decodeKargsArea } from './kargs-text.ts';
import { openImage, type ReadableImage } from './open-image.ts';

/** Kernel arguments as they are now and as the image was made. */
export interface IsoKargs {
  readonly current: string;
  readonly default: string;
}

/** Reads the Ignition area as it is, zeros and all. Throws ISO_INVALID when the file ends before it does. */
export async function readIgnitionArea(image: ReadableImage, { ignition }: IsoImage): Promise<Uint8Array> {
  const bytes = await image.readAt(ignition.offset, ignition.sizeBytes);
  if (bytes.length === ignition.sizeBytes) return bytes;
  throw new EdgefabError(
    `Ignition embed area of ${image.path} has ${bytes.length} bytes, want ${ignition.sizeBytes}`,
    { code: 'ISO_INVALID', place: { file: image.path } },
  );
}

/** Reads all regular files in the Ignition area, by path. Throws ISO_INVALID, CPIO_INVALID, TOOL_MISSING. */
export async function readIsoInitrd(iso: IsoImage): Promise<Map<string, Uint8Array>> {
  await using image = await openImage(iso.path);
  // Awaited here: a rejection must not wait, unhandled, for the file to be closed.
  return await readInitrdFrom(image, iso);
}

/** Reads what `readIsoInitrd` reads from an image that is open already. */
export async function readInitrdFrom(image: ReadableImage, iso: IsoImage): Promise<Map<string, Uint8Array>> {
  return await decodeInitrd(await readIgnitionArea(image, iso), `the Ignition embed area of ${image.path}`);
}

/** Reads the embedded Ignition config, however it was compressed; undefined when there is none. */
export async function readIsoIgnition(iso: IsoImage): Promise<Uint8Array | undefined> {
  return (await readIsoInitrd(iso)).get(IGNITION_PATH);
}

/**
 * Reads the kernel arguments. Throws EMBED_AREA_MISSING when the image has no place for them, ISO_INVALID when
 * its copies differ.
 */
export async function readIsoKargs(iso: IsoImage): Promise<IsoKargs> {
  await using image = await openImage(iso.path);
  return await readKargsFrom(image, iso);
}

/** Reads what `readIsoKargs` reads from an image that is open already. */
export async function readKargsFrom(image: ReadableImage, iso: IsoImage): Promise<IsoKargs> {
  const kargs = kargsAreasOf(iso);
  let current: string | undefined;
  for (const area of kargs.areas) {
    const text = decodeKargsArea(await image.readAt(area.offset, kargs.capacityBytes), area);
    current ??= text;
    if (text !== current) {
      throw new EdgefabError(
        `kernel arguments of ${image.path} differ: /${area.file} has "${text}", want "${current}" as in the first area`,
        {
          code: 'ISO_INVALID',
          place: { file: image.path },
          suggestions: ['Set them back with edgefab iso reset, or start from the ISO as downloaded'],
        },
      );
    }
  }
  return { current: current ?? kargs.default, default: kargs.default };
}

/** Gives the kernel argument areas of an image. Throws EMBED_AREA_MISSING when it has none. */
function kargsAreasOf({ kargs, path, volumeId }: IsoImage): KargsAreas {
  if (kargs !== undefined) return kargs;
  throw new EdgefabError(`ISO ${path} (volume "${volumeId}") has no kernel argument area`, {
    code: 'EMBED_AREA_MISSING',
    place: { file: path },
    suggestions: [
      'Use a live ISO of 2021 or later (s390x: of 2023-07 or later), or put what is wanted in Ignition',
    ],
  });
}
