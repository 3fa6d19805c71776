import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { editInPlace } from './edit-in-place.ts';
import { inspectImage } from './inspect-iso.ts';
import type { IsoImage } from './iso-image.ts';
import { openIsoSource } from './iso-source.ts';
import { encodeKargsArea } from './kargs-text.ts';
import { openImage } from './open-image.ts';
import { writePatchedCopy } from './patched-copy.ts';
import type { Region } from './plan-site-iso.ts';
import { readIgnitionArea, readInitrdFrom, readKargsFrom } from './read-iso.ts';
import { refuseTarget } from './refuse-target.ts';

export interface ResetIsoOptions {
  readonly source: string;
  /** Where to write the image as it was made; in its own place when absent. */
  readonly target?: string;
  readonly overwrite?: boolean;
}

/** What a reset did. `changed` are the areas that were not as the image was made. */
export interface IsoReset {
  readonly source: string;
  readonly target: string;
  readonly sizeBytes: number;
  readonly changed: readonly string[];
  readonly kargs: string | null;
}

/** The areas as the image was made: an empty Ignition area, the default arguments in each place for them. */
function pristineRegions({ ignition, kargs }: IsoImage): Region[] {
  return [
    {
      what: `Ignition area in /${ignition.file}`,
      offset: ignition.offset,
      bytes: new Uint8Array(ignition.sizeBytes),
    },
    ...(kargs?.areas ?? []).map((area) => ({
      what: `kernel argument area in /${area.file}`,
      offset: area.offset,
      bytes: encodeKargsArea(kargs?.default.trim() ?? '', area, kargs?.capacityBytes ?? 0),
    })),
  ];
}

async function changedRegions(path: string, regions: readonly Region[]): Promise<Region[]> {
  await using image = await openImage(path);
  const changed: Region[] = [];
  for (const region of regions) {
    const held = await image.readAt(region.offset, region.bytes.length);
    if (Buffer.compare(held, region.bytes) !== 0) changed.push(region);
  }
  return changed;
}

async function checkPristine(path: string): Promise<void> {
  await using image = await openImage(path);
  const iso = await inspectImage(image);
  const area = await readIgnitionArea(image, iso);
  const files = await readInitrdFrom(image, iso);
  const kargs = iso.kargs === undefined ? undefined : await readKargsFrom(image, iso);
  const emptied = files.size === 0 && area.every((byte) => byte === 0);
  if (emptied && kargs?.current === kargs?.default.trim()) return;
  throw new EdgefabError(`${path} is not as it was made although that was written`, {
    code: 'ISO_READBACK_MISMATCH',
    place: { file: path },
    suggestions: ['Check the disk (dmesg, smartctl) and run again'],
  });
}

/**
 * Puts a live ISO back to how it was made: no Ignition, no network files, the default kernel arguments. What the areas
 * hold need not be readable. Read back before it is done. Throws what `openIsoSource` and, without a target,
 * `editInPlace` throw, TARGET_EXISTS, KARGS_AREA_FULL, DISK_FULL, FILESYSTEM_UNFIT, ISO_READBACK_MISMATCH.
 */
export async function resetIso(
  { source, target, overwrite = false }: ResetIsoOptions,
  host: Pick<Host, 'randomBytes'>,
): Promise<IsoReset> {
  const { image: iso } = await openIsoSource(source);
  if (target !== undefined) await refuseTarget(target, source, overwrite);
  const regions = await changedRegions(source, pristineRegions(iso));
  const { sizeBytes } = iso;
  if (target !== undefined) {
    await writePatchedCopy({ source, target, sizeBytes, regions, check: checkPristine }, host);
  } else if (regions.length > 0) {
    await editInPlace(source, regions, checkPristine);
  }
  return {
    source,
    target: target ?? source,
    sizeBytes,
    changed: regions.map(({ what }) => what),
    kargs: iso.kargs?.default ?? null,
  };
}
