import { EdgefabError } from '../../errors.ts';
import { decodeInitrd } from './initrd.ts';
import { inspectIso } from './inspect-iso.ts';
import type { IsoImage } from './iso-image.ts';
import { decodeKargsArea } from './kargs-text.ts';
import { openImage } from './open-image.ts';
import type { Region, SiteIsoPlan } from './plan-site-iso.ts';
import { readIsoInitrd, readIsoKargs } from './read-iso.ts';

function mismatch(path: string, what: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`${what} of ${path} is not what was written`, {
    code: 'ISO_READBACK_MISMATCH',
    place: { file: path },
    suggestions: ['Check the disk (dmesg, smartctl) and run again'],
    cause,
  });
}

async function verifyRegions(path: string, regions: readonly Region[]): Promise<void> {
  await using image = await openImage(path);
  for (const { what, offset, bytes } of regions) {
    const got = await image.readAt(offset, bytes.length);
    if (Buffer.compare(got, bytes) !== 0) {
      const at = got.findIndex((byte, index) => byte !== bytes[index]);
      throw mismatch(path, `${what}, byte ${at === -1 ? got.length : at} of ${bytes.length},`);
    }
  }
}

function compareFiles(
  path: string,
  got: ReadonlyMap<string, Uint8Array>,
  want: ReadonlyMap<string, Uint8Array>,
): void {
  for (const [name, bytes] of want) {
    const gotBytes = got.get(name);
    if (gotBytes === undefined || Buffer.compare(gotBytes, bytes) !== 0) {
      throw mismatch(path, `embedded file ${name}`);
    }
  }
  if (got.size !== want.size) throw mismatch(path, 'number of embedded files');
}

async function verifyMeaning(path: string, { ignition, kargs }: SiteIsoPlan): Promise<void> {
  const iso = await inspectIso(path);
  if (ignition !== undefined) compareFiles(path, await readIsoInitrd(iso), ignition.files);
  if (kargs !== undefined) {
    const { current } = await readIsoKargs(iso);
    if (current !== kargs.after) throw mismatch(path, `kernel argument line "${current}"`);
  }
}

/**
 * Reads a written ISO back from its file and compares bytes and meaning with the plan: the areas are found,
 * unpacked and decoded anew. Throws ISO_READBACK_MISMATCH.
 */
export async function verifySiteIso(path: string, plan: SiteIsoPlan): Promise<void> {
  await verifyRegions(path, plan.regions);
  try {
    await verifyMeaning(path, plan);
  } catch (error) {
    if (error instanceof EdgefabError && error.code === 'ISO_READBACK_MISMATCH') throw error;
    throw mismatch(path, 'content', error);
  }
}

/**
 * Decodes the regions of a plan for an image and compares what they mean with the plan, without a file to read them
 * back from. Throws ISO_READBACK_MISMATCH.
 */
export async function verifyRegionMeaning(
  iso: IsoImage,
  { regions, ignition, kargs }: SiteIsoPlan,
): Promise<void> {
  const at = (offset: number): Uint8Array =>
    regions.find((region) => region.offset === offset)?.bytes ?? new Uint8Array();
  if (ignition !== undefined) {
    compareFiles(iso.path, await decodeInitrd(at(iso.ignition.offset), 'the Ignition area'), ignition.files);
  }
  if (kargs === undefined) return;
  for (const area of iso.kargs?.areas ?? []) {
    const text = decodeKargsArea(at(area.offset), area);
    if (text !== kargs.after) throw mismatch(iso.path, `kernel argument line "${text}"`);
  }
}
