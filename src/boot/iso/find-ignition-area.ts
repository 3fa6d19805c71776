import { EdgefabError } from '../../errors.ts';
import { type ImageReader, readIgnInfo } from './image-json.ts';
import type { IgnitionArea } from './iso-image.ts';
import { readIgnitionHeader } from './legacy-headers.ts';

const LEGACY_IGNITION_FILE = 'images/ignition.img';
// Real areas have 262,144 bytes; the whole area is held in memory.
const MAX_AREA_BYTES = 64 * 1024 * 1024;

function missing(image: ImageReader, problem: string): EdgefabError {
  return new EdgefabError(
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

function checkSpan(
  image: ImageReader,
  { offset, sizeBytes }: { readonly offset: number; readonly sizeBytes: number },
  within: { readonly name: string; readonly sizeBytes: number },
): void {
  if (sizeBytes < 1 || sizeBytes > MAX_AREA_BYTES || offset + sizeBytes > within.sizeBytes) {
    throw new EdgefabError(
      `Ignition embed area of ${image.path} is ${sizeBytes} bytes at ${offset} in ${within.name}, want 1 to ${MAX_AREA_BYTES} bytes within the file's ${within.sizeBytes}`,
      { code: 'ISO_INVALID', place: { file: image.path } },
    );
  }
}

async function findByHeader(image: ImageReader): Promise<IgnitionArea | undefined> {
  const header = await readIgnitionHeader(image.readAt);
  if (header === undefined) return undefined;
  checkSpan(image, header, { name: 'the image', sizeBytes: image.volume.volumeBytes });
  const { offset, sizeBytes } = header;
  // The name of the file it is in, for people; an area that is in none is an area all the same.
  const files = await image.volume.listFiles();
  const holder = files.find(
    (file) => file.offset <= offset && offset + sizeBytes <= file.offset + file.sizeBytes,
  );
  return { foundBy: 'system-area', file: holder?.path ?? `offset ${offset}`, offset, sizeBytes };
}

/**
 * Finds the Ignition area by igninfo.json, else by the name it always had, else by the header of 2019. A header beside
 * a file is not looked at, as coreos-installer does not: remastering moves the file and leaves the header. Throws
 * EMBED_AREA_MISSING, ISO_INVALID.
 */
export async function findIgnitionArea(image: ImageReader): Promise<IgnitionArea> {
  const info = await readIgnInfo(image);
  const path = info?.file ?? LEGACY_IGNITION_FILE;
  const file = await image.volume.findFile(path);
  if (file === undefined) {
    if (info !== undefined) throw missing(image, `/coreos/igninfo.json names /${path}, which is not there`);
    const byHeader = await findByHeader(image);
    if (byHeader !== undefined) return byHeader;
    throw missing(image, `neither /coreos/igninfo.json nor /${LEGACY_IGNITION_FILE} is there`);
  }
  const offset = info?.offset ?? 0;
  const sizeBytes = info?.length ?? file.sizeBytes - offset;
  checkSpan(image, { offset, sizeBytes }, { name: `/${path}`, sizeBytes: file.sizeBytes });
  const foundBy = info === undefined ? 'ignition-img' : 'igninfo-json';
  return { foundBy, file: path, offset: file.offset + offset, sizeBytes };
}
