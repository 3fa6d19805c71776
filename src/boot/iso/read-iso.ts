import { EdgefabError } from '../../errors.ts';
import { decodeInitrd, IGNITION_PATH } from './initrd.ts';
import type { IsoImage } from './iso-image.ts';
import { decodeKargsArea } from './kargs-text.ts';
import { openImage } from './open-image.ts';

/** Kernel arguments as they are now and as the image was made. */
export interface IsoKargs {
  readonly current: string;
  readonly default: string;
}

/** Reads all regular files in the Ignition area, by path. Throws ISO_INVALID, CPIO_INVALID, TOOL_MISSING. */
export async function readIsoInitrd(iso: IsoImage): Promise<Map<string, Uint8Array>> {
  await using image = await openImage(iso.path);
  const area = await image.readAt(iso.ignition.offset, iso.ignition.sizeBytes);
  // Awaited here: a rejection must not wait, unhandled, for the file to be closed.
  return await decodeInitrd(area, `the Ignition embed area of ${iso.path}`);
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
  const { kargs } = iso;
  if (kargs === undefined) {
    throw new EdgefabError(`ISO ${iso.path} (volume "${iso.volumeId}") has no kernel argument area`, {
      code: 'EMBED_AREA_MISSING',
      place: { file: iso.path },
    });
  }
  await using image = await openImage(iso.path);
  let current: string | undefined;
  for (const area of kargs.areas) {
    const text = decodeKargsArea(await image.readAt(area.offset, kargs.capacityBytes), area);
    current ??= text;
    if (text !== current) {
      throw new EdgefabError(
        `kernel arguments of ${iso.path} differ: /${area.file} has "${text}", want "${current}" as in the first area`,
        { code: 'ISO_INVALID', place: { file: iso.path } },
      );
    }
  }
  return { current: current ?? kargs.default, default: kargs.default };
}
