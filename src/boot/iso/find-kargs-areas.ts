import { EdgefabError } from '../../errors.ts';
import { SYSTEM_AREA_BYTES } from '../../formats/iso9660-layout.ts';
import { type ImageReader, readKargsInfo } from './image-json.ts';
import type { IsoGeneration, KargsArea, KargsAreas } from './iso-image.ts';
import { decodeKargsArea } from './kargs-text.ts';

// What coreos-installer assumes where kargs.json does not say, and the largest area it accepts.
const DEFAULT_PAD = '#';
const DEFAULT_END = '\n';
const MAX_AREA_BYTES = 2048;

// The header of 2021, in the system area: magic, u64 area size, u64 offset of the defaults, six u64 offsets of
// areas (0 ends them), all little-endian; 24 bytes of an older header follow up to the first descriptor.
const HEADER = { magic: 0, sizeBytes: 8, defaultOffset: 16, areaOffsets: 24, end: 72 } as const;
const HEADER_OFFSET = SYSTEM_AREA_BYTES - 24 - HEADER.end;
const HEADER_MAGIC = 'coreKarg';

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
  return { default: info.default, capacityBytes: info.size, areas };
}

async function findByHeader(image: ImageReader): Promise<KargsAreas | undefined> {
  const header = Buffer.from(await image.readAt(HEADER_OFFSET, HEADER.end));
  if (header.toString('latin1', HEADER.magic, HEADER.sizeBytes) !== HEADER_MAGIC) return undefined;
  const capacityBytes = Number(header.readBigUInt64LE(HEADER.sizeBytes));
  checkSize(image, capacityBytes);
  const areaAt = (at: number): KargsArea | undefined => {
    const offset = Number(header.readBigUInt64LE(at));
    if (offset === 0) return undefined;
    if (offset + capacityBytes > image.volume.volumeBytes) {
      throw invalid(
        image,
        `an area ends at ${offset + capacityBytes}, want at most ${image.volume.volumeBytes}`,
      );
    }
    return { file: `offset ${offset}`, offset, pad: DEFAULT_PAD, end: DEFAULT_END };
  };
  const defaultArea = areaAt(HEADER.defaultOffset);
  if (defaultArea === undefined) throw invalid(image, 'the header has no offset for the default arguments');
  const areas: KargsArea[] = [];
  for (let at = HEADER.areaOffsets; at < HEADER.end; at += 8) {
    const area = areaAt(at);
    if (area === undefined) break;
    areas.push(area);
  }
  if (areas.length === 0) throw invalid(image, 'the header names no area');
  const defaults = decodeKargsArea(await image.readAt(defaultArea.offset, capacityBytes), defaultArea);
  return { default: defaults, capacityBytes, areas };
}

/** Kernel argument areas, and the generation of image they were found in. */
export interface FoundKargs {
  readonly generation: Extract<IsoGeneration, 'kargs-json' | 'system-area' | 'ignition-img'>;
  readonly kargs: KargsAreas | undefined;
}

/** Finds the kernel argument areas by kargs.json, else by the header of 2021. Throws ISO_INVALID. */
export async function findKargsAreas(image: ImageReader): Promise<FoundKargs> {
  const byJson = await findByJson(image);
  if (byJson !== undefined) return { generation: 'kargs-json', kargs: byJson };
  const byHeader = await findByHeader(image);
  if (byHeader !== undefined) return { generation: 'system-area', kargs: byHeader };
  return { generation: 'ignition-img', kargs: undefined };
}
