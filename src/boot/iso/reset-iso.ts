import { realpath } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { inspectImage, inspectIso } from './inspect-iso.ts';
import type { IsoImage } from './iso-image.ts';
import { encodeKargsArea } from './kargs-text.ts';
import { openImage } from './open-image.ts';
import { writePatchedCopy } from './patched-copy.ts';
import type { Region } from './plan-site-iso.ts';
import { readIgnitionArea, readInitrdFrom, readKargsFrom } from './read-iso.ts';
import { refuseExisting } from './refuse-existing.ts';

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
 * hold need not be readable. The image gets its name, also in its own place, once it was read back. Throws what
 * `inspectIso` throws, TARGET_EXISTS, KARGS_AREA_FULL, DISK_FULL, FILESYSTEM_UNFIT, ISO_READBACK_MISMATCH.
 */
export async function resetIso(
  { source, target, overwrite = false }: ResetIsoOptions,
  host: Pick<Host, 'randomBytes'>,
): Promise<IsoReset> {
  const iso = await inspectIso(source);
  if (target !== undefined) await refuseExisting(source, target, overwrite);
  const changed = await changedRegions(source, pristineRegions(iso));
  const { sizeBytes } = iso;
  // Through a symbolic link the image itself is replaced, not the link.
  const written = target ?? (await realpath(source));
  if (target !== undefined || changed.length > 0) {
    await writePatchedCopy(
      { source, target: written, sizeBytes, regions: changed, check: checkPristine },
      host,
    );
  }
  return {
    source,
    target: target ?? source,
    sizeBytes,
    changed: changed.map(({ what }) => what),
    kargs: iso.kargs?.default ?? null,
  };
}
