import { EdgefabError } from '../../errors.ts';
import { type ImageReader, readKargsInfo } from './image-json.ts';
import type { KargsArea, KargsAreas } from './iso-image.ts';
import { decodeKargsArea } from './kargs-text.ts';
import { readKargsHeader } from './legacy-headers.ts';

// What coreos-installer assumes where kargs.json does not say, and the largest area it accepts.
const DEFAULT_PAD = '#';
const DEFAULT_END = '\n';
const MAX_AREA_BYTES = 2048;

function invalid(image: ImageReader, problem: string): EdgefabError {
  return new EdgefabError(`kernel argument areas of ${image.path} are broken: ${problem}`, {
    code: 'ISO_INVALID',
    place: { file: image.path },
  });
}

function checkSize(image: ImageReader, sizeBytes: number): void {
  if (sizeBytes < 1 || sizeBytes > MAX_AREA_BYTES) {
    throw invalid(image, `they have ${sizeBytes} bytes each, want 1 to ${MAX_AREA_BYTES}`);
  }
}

async function findByJson(image: ImageReader): Promise<KargsAreas | undefined> {
  const info = await readKargsInfo(image);
  if (info === undefined) return undefined;
  checkSize(image, info.size);
  const defaultBytes = Buffer.byteLength(info.default);
  if (defaultBytes > info.size) {
    throw invalid(image, `the default arguments have ${defaultBytes} bytes, want at most ${info.size}`);
  }
  const areas: KargsArea[] = [];
  for (const { path, offset, pad, end } of info.files) {
    const file = await image.volume.findFile(path);
    if (file === undefined) throw invalid(image, `kargs.json names /${path}, which is not in the image`);
    if (offset + info.size > file.sizeBytes) {
      throw invalid(
        image,
        `an area ends at ${offset + info.size} in /${path}, want at most ${file.sizeBytes}`,
      );
    }
    areas.push({
      file: path,
      offset: file.offset + offset,
      pad: pad ?? DEFAULT_PAD,
      end: end ?? DEFAULT_END,
    });
  }
  return { foundBy: 'kargs-json', default: info.default, capacityBytes: info.size, areas };
}

async function findByHeader(image: ImageReader): Promise<KargsAreas | undefined> {
  const header = await readKargsHeader(image.readAt);
  if (header === undefined) return undefined;
  const { sizeBytes: capacityBytes, defaultOffset, areaOffsets } = header;
  checkSize(image, capacityBytes);
  const { volumeBytes } = image.volume;
  const areaAt = (offset: number): KargsArea => {
    if (offset + capacityBytes > volumeBytes) {
      throw invalid(image, `an area ends at ${offset + capacityBytes}, want at most ${volumeBytes}`);
    }
    return { file: `offset ${offset}`, offset, pad: DEFAULT_PAD, end: DEFAULT_END };
  };
  if (defaultOffset === 0) throw invalid(image, 'the header has no offset for the default arguments');
  const defaultArea = areaAt(defaultOffset);
  const areas = areaOffsets.map(areaAt);
  if (areas.length === 0) throw invalid(image, 'the header names no area');
  const defaults = decodeKargsArea(await image.readAt(defaultOffset, capacityBytes), defaultArea);
  return { foundBy: 'system-area', default: defaults, capacityBytes, areas };
}

/**
 * Finds the kernel argument areas by kargs.json, else by the header of 2021; undefined when the image has no place for
 * them. Throws ISO_INVALID.
 */
export async function findKargsAreas(image: ImageReader): Promise<KargsAreas | undefined> {
  return (await findByJson(image)) ?? (await findByHeader(image));
}
