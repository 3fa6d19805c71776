import { EdgefabError } from '../../errors.ts';
import { readIso9660 } from '../../formats/iso9660.ts';
import { findKargsAreas } from './find-kargs-areas.ts';
import { type ImageReader, readFeaturesInfo, readIgnInfo } from './image-json.ts';
import type { IgnitionArea, IsoFeatures, IsoImage, KargsAreas } from './iso-image.ts';
import { type OpenImage, openImage } from './open-image.ts';

const LEGACY_IGNITION_FILE = 'images/ignition.img';
// Real areas have 262,144 bytes; the whole area is held in memory.
const MAX_IGNITION_AREA_BYTES = 64 * 1024 * 1024;

interface FoundIgnition {
  readonly hasIgnInfo: boolean;
  readonly area: IgnitionArea;
}

async function findIgnitionArea(image: ImageReader): Promise<FoundIgnition> {
  const info = await readIgnInfo(image);
  const path = info?.file ?? LEGACY_IGNITION_FILE;
  const file = await image.volume.findFile(path);
  if (file === undefined) {
    const problem =
      info === undefined
        ? `neither /coreos/igninfo.json nor /${LEGACY_IGNITION_FILE} is there`
        : `/coreos/igninfo.json names /${path}, which is not there`;
    throw new EdgefabError(
      `ISO ${image.path} (volume "${image.volume.volumeId}") has no Ignition embed area: ${problem}`,
      {
        code: 'EMBED_AREA_MISSING',
        place: { file: image.path },
        suggestions: [
          'Use the CoreOS *live* ISO that belongs to the release, for example rhcos-live.x86_64.iso',
        ],
      },
    );
  }
  const offset = info?.offset ?? 0;
  const sizeBytes = info?.length ?? file.sizeBytes - offset;
  if (sizeBytes < 1 || sizeBytes > MAX_IGNITION_AREA_BYTES || offset + sizeBytes > file.sizeBytes) {
    throw new EdgefabError(
      `Ignition embed area of ${image.path} is ${sizeBytes} bytes at ${offset} in /${path}, want 1 to ${MAX_IGNITION_AREA_BYTES} bytes within the file's ${file.sizeBytes}`,
      { code: 'ISO_INVALID', place: { file: image.path } },
    );
  }
  return { hasIgnInfo: info !== undefined, area: { file: path, offset: file.offset + offset, sizeBytes } };
}

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

async function inspectOpened(path: string, opened: OpenImage): Promise<IsoImage> {
  const volume = await readIso9660(opened.readAt, opened.sizeBytes);
  const image: ImageReader = { path, volume, readAt: opened.readAt };
  const { hasIgnInfo, area } = await findIgnitionArea(image);
  const { generation, kargs } = await findKargsAreas(image);
  refuseOverlap(path, area, kargs);
  return {
    path,
    sizeBytes: opened.sizeBytes,
    volumeId: volume.volumeId,
    generation: hasIgnInfo ? 'igninfo-json' : generation,
    ignition: area,
    ...(kargs === undefined ? {} : { kargs }),
    features: await readFeatures(image),
  };
}

/**
 * Inspects a CoreOS live ISO: volume id, sizes, where Ignition and kernel arguments go. Throws FILE_UNREADABLE,
 * ISO_INVALID when it is no sound ISO 9660 image, EMBED_AREA_MISSING when it is another kind of ISO.
 */
export async function inspectIso(path: string): Promise<IsoImage> {
  await using opened = await openImage(path);
  try {
    return await inspectOpened(path, opened);
  } catch (cause) {
    // The format reader knows offsets only; which file they are in is added here.
    if (!(cause instanceof EdgefabError) || cause.place.file !== undefined) throw cause;
    throw new EdgefabError(`${path} cannot be read as a live ISO: ${cause.message}`, {
      code: cause.code,
      place: { file: path },
      suggestions: cause.suggestions,
      cause,
    });
  }
}
