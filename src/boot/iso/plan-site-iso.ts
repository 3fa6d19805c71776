import { EdgefabError } from '../../errors.ts';
import { areaFull } from './area-full.ts';
import { compressInitrd, type EmbedBudget } from './compress-initrd.ts';
import {
  encodeInitrd,
  IGNITION_PATH,
  MAX_UNPACKED_BYTES,
  NETWORK_FOLDER,
  type NetworkFile,
} from './initrd.ts';
import type { IsoImage } from './iso-image.ts';
import type { IsoSource } from './iso-source.ts';
import {
  checkKernelLine,
  editKargs,
  encodeKargsArea,
  type KargsBudget,
  type KargsEdit,
  kargsBudget,
} from './kargs-text.ts';
import { readIsoInitrd, readIsoKargs } from './read-iso.ts';

/** What goes into a site's ISO. What is absent is left as the source has it. */
export interface SiteContent {
  readonly ignition?: Uint8Array;
  /** NetworkManager keyfiles for the live system, by plain file name; they replace all that are there. */
  readonly networkFiles?: readonly NetworkFile[];
  /** Changes to the image's *default* arguments. */
  readonly kargs?: KargsEdit;
  /** Replaces an Ignition config, keyfiles or changed arguments that the source already holds. */
  readonly force?: boolean;
}

/** Bytes to write at an offset; `what` is for messages. */
export interface Region {
  readonly what: string;
  readonly offset: number;
  readonly bytes: Uint8Array;
}

interface IgnitionPlan extends EmbedBudget {
  readonly areaBytes: number;
  readonly files: ReadonlyMap<string, Uint8Array>;
}

export interface KargsPlan extends KargsBudget {
  readonly before: string;
  readonly after: string;
}

/** The regions to write and what must be read back afterwards. */
export interface SiteIsoPlan {
  readonly regions: readonly Region[];
  readonly ignition?: IgnitionPlan;
  readonly kargs?: KargsPlan;
}

function refuseOccupied(
  iso: IsoImage,
  code: 'EMBED_AREA_OCCUPIED' | 'KARGS_AREA_OCCUPIED',
  what: string,
): never {
  throw new EdgefabError(`ISO ${iso.path} already has ${what}`, {
    code,
    place: { file: iso.path },
    suggestions: ['Start from the ISO as downloaded, or use force to replace what is there'],
  });
}

function checkNetworkFiles(iso: IsoImage, names: readonly string[]): void {
  if (!iso.features.liveInitrdNetwork) {
    throw new EdgefabError(
      `ISO ${iso.path} (volume "${iso.volumeId}") does not read embedded network files`,
      {
        code: 'MODE_UNSUPPORTED',
        place: { file: iso.path },
        suggestions: ['Set the network with ip= kernel arguments instead'],
      },
    );
  }
  for (const [index, name] of names.entries()) {
    const problem =
      !/^[^/\p{Cc}]+$/u.test(name) || name === '.' || name === '..' ? 'is no plain file name' : '';
    if (problem !== '' || names.indexOf(name) !== index) {
      throw new EdgefabError(`network file ${JSON.stringify(name)} ${problem || 'is given twice'}`, {
        code: 'USAGE_INVALID',
      });
    }
  }
}

/** What the areas hold: read from the image, or by a source that has read it before. */
type Held = Pick<IsoSource, 'embedded' | 'kargs'>;

function readFrom(iso: IsoImage): Held {
  return { embedded: () => readIsoInitrd(iso), kargs: () => readIsoKargs(iso) };
}

async function mergeFiles(iso: IsoImage, content: SiteContent, held: Held): Promise<Map<string, Uint8Array>> {
  const files = new Map(await held.embedded());
  const isNetwork = (path: string) => path.startsWith(`${NETWORK_FOLDER}/`);
  if (content.ignition !== undefined) {
    if (files.has(IGNITION_PATH) && !content.force) {
      refuseOccupied(iso, 'EMBED_AREA_OCCUPIED', 'an Ignition config embedded');
    }
    files.set(IGNITION_PATH, content.ignition);
  }
  if (content.networkFiles !== undefined) {
    checkNetworkFiles(
      iso,
      content.networkFiles.map(({ name }) => name),
    );
    const present = [...files.keys()].filter(isNetwork);
    if (present.length > 0 && !content.force) {
      refuseOccupied(iso, 'EMBED_AREA_OCCUPIED', `${present.length} network files embedded`);
    }
    for (const path of present) files.delete(path);
    for (const { name, bytes } of content.networkFiles) files.set(`${NETWORK_FOLDER}/${name}`, bytes);
  }
  return files;
}

async function planIgnition(
  iso: IsoImage,
  content: SiteContent,
  held: Held,
): Promise<{ region: Region; plan: IgnitionPlan }> {
  const files = await mergeFiles(iso, content, held);
  const areaBytes = iso.ignition.sizeBytes;
  const archive = encodeInitrd([...files].map(([path, bytes]) => ({ path, bytes })));
  if (archive.length > MAX_UNPACKED_BYTES) {
    throw new EdgefabError(
      `Ignition for ${iso.path} has ${archive.length} bytes unpacked, want at most ${MAX_UNPACKED_BYTES}`,
      {
        code: 'EMBED_AREA_FULL',
        place: { file: iso.path },
        suggestions: ['Move large files from the Ignition config to the cache disk'],
      },
    );
  }
  const { bytes, compression, compressedBytes, xzProblem } = await compressInitrd(archive, areaBytes);
  if (compressedBytes > areaBytes) {
    throw areaFull({ path: iso.path, areaBytes, files, compression, compressedBytes, xzProblem });
  }
  const region = new Uint8Array(areaBytes);
  region.set(bytes);
  return {
    region: { what: `Ignition area in /${iso.ignition.file}`, offset: iso.ignition.offset, bytes: region },
    plan: { compression, compressedBytes, areaBytes, files },
  };
}

async function planKargs(
  iso: IsoImage,
  edit: KargsEdit,
  force: boolean,
  held: Held,
): Promise<{ regions: Region[]; plan: KargsPlan }> {
  const { current, default: defaults } = await held.kargs();
  if (current !== defaults.trim() && !force) {
    refuseOccupied(iso, 'KARGS_AREA_OCCUPIED', `changed kernel arguments: "${current}"`);
  }
  const after = editKargs(defaults, edit);
  const { kargs } = iso;
  checkKernelLine(after);
  const regions = (kargs?.areas ?? []).map((area) => ({
    what: `kernel argument area in /${area.file}`,
    offset: area.offset,
    bytes: encodeKargsArea(after, area, kargs?.capacityBytes ?? 0),
  }));
  const budget = kargsBudget(after, kargs?.capacityBytes ?? 0);
  return { regions, plan: { before: current, after, ...budget } };
}

/**
 * Plans a site's ISO without writing. Throws EMBED_AREA_OCCUPIED, EMBED_AREA_FULL, EMBED_AREA_MISSING,
 * KARGS_AREA_OCCUPIED, KARGS_AREA_FULL, MODE_UNSUPPORTED, USAGE_INVALID when nothing is to be written.
 */
export async function planSiteIso(
  iso: IsoImage,
  content: SiteContent,
  held: Held = readFrom(iso),
): Promise<SiteIsoPlan> {
  const { ignition, networkFiles, kargs, force = false } = content;
  if (ignition === undefined && networkFiles === undefined && kargs === undefined) {
    throw new EdgefabError(
      `nothing to put into ${iso.path}: no Ignition config, network file or kernel argument`,
      {
        code: 'USAGE_INVALID',
        suggestions: [
          'Name at least one of --ignition, --network, --append-karg, --delete-karg, --replace-karg',
        ],
      },
    );
  }
  const initrd =
    ignition === undefined && networkFiles === undefined ? undefined : await planIgnition(iso, content, held);
  const text = kargs === undefined ? undefined : await planKargs(iso, kargs, force, held);
  return {
    regions: [...(initrd === undefined ? [] : [initrd.region]), ...(text?.regions ?? [])],
    ...(initrd === undefined ? {} : { ignition: initrd.plan }),
    ...(text === undefined ? {} : { kargs: text.plan }),
  };
}
