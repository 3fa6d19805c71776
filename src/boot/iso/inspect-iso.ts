import { EdgefabError } from '../../errors.ts';
import { readIso9660 } from '../../formats/iso9660.ts';
import { findIgnitionArea } from './find-ignition-area.ts';
import { findKargsAreas } from './find-kargs-areas.ts';
import { type ImageReader, readFeaturesInfo } from './image-json.ts';
import type { IgnitionArea, IsoFeatures, IsoGeneration, IsoImage, KargsAreas } from './iso-image.ts';
import { openImage, type ReadableImage } from './open-image.ts';

/** Two areas that share bytes would overwrite each other, and the second would be right. */
function refuseOverlap(path: string, ignition: IgnitionArea, kargs: KargsAreas | undefined): void {
  const spans = [
    { file: ignition.file, start: ignition.offset, end: ignition.offset + ignition.sizeBytes },
    ...(kargs?.areas ?? []).map(({ file, offset }) => ({
      file,
      start: offset,
      end: offset + (kargs?.capacityBytes ?? 0),
    })),
  ].sort((left, right) => left.start - right.start);
  for (const [index, span] of spans.entries()) {
    const next = spans[index + 1];
    if (next !== undefined && next.start < span.end) {
      throw new EdgefabError(
        `embed areas of ${path} overlap: ${span.file} ends at ${span.end}, ${next.file} starts at ${next.start}`,
        { code: 'ISO_INVALID', place: { file: path } },
      );
    }
  }
}

async function readFeatures(image: ImageReader): Promise<IsoFeatures> {
  const info = await readFeaturesInfo(image);
  const directives = Object.entries(info?.['installer-config-directives'] ?? {});
  return {
    installerConfig: info?.['installer-config'] ?? false,
    liveInitrdNetwork: info?.['live-initrd-network'] ?? false,
    installerDirectives: directives.flatMap(([name, known]) => (known ? [name] : [])).sort(),
  };
}

function generationOf(ignition: IgnitionArea, kargs: KargsAreas | undefined): IsoGeneration {
  if (ignition.foundBy !== 'ignition-img') return ignition.foundBy;
  return kargs?.foundBy ?? 'ignition-img';
}

async function inspectSound({ path, sizeBytes, readAt }: ReadableImage): Promise<IsoImage> {
  const volume = await readIso9660(readAt, sizeBytes);
  const image: ImageReader = { path, volume, readAt };
  const ignition = await findIgnitionArea(image);
  const kargs = await findKargsAreas(image);
  refuseOverlap(path, ignition, kargs);
  return {
    path,
    sizeBytes,
    volumeId: volume.volumeId,
    volumeSetId: volume.volumeSetId,
    generation: generationOf(ignition, kargs),
    ignition,
    ...(kargs === undefined ? {} : { kargs }),
    features: await readFeatures(image),
  };
}

/** Inspects an image that is open already. Throws what `inspectIso` throws. */
export async function inspectImage(image: ReadableImage): Promise<IsoImage> {
  try {
    return await inspectSound(image);
  } catch (cause) {
    // The format reader knows offsets only; which file they are in is added here.
    if (!(cause instanceof EdgefabError) || cause.place.file !== undefined) throw cause;
    throw new EdgefabError(`${image.path} cannot be read as a live ISO: ${cause.message}`, {
      code: cause.code,
      place: { file: image.path },
      suggestions: cause.suggestions,
      cause,
    });
  }
}

/**
 * Inspects a CoreOS live ISO: volume id, sizes, where Ignition and kernel arguments go. Throws FILE_UNREADABLE,
 * ISO_INVALID when it is no sound ISO 9660 image, EMBED_AREA_MISSING when it is another kind of ISO.
 */
export async function inspectIso(path: string): Promise<IsoImage> {
  await using opened = await openImage(path);
  return await inspectImage(opened);
}
