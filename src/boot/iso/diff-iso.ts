import { EdgefabError } from '../../errors.ts';
import { readIso9660 } from '../../formats/iso9660.ts';
import { diffIgnition, type IgnitionChange } from '../ignition/diff-ignition.ts';
import { parseIgnition } from '../ignition/parse-ignition.ts';
import { type ByteComparison, compareBytes, type Span } from './compare-bytes.ts';
import { describeImage, type IsoDescription } from './describe-iso.ts';
import { diffKargs } from './diff-kargs.ts';
import { IGNITION_PATH } from './initrd.ts';
import type { IsoImage } from './iso-image.ts';
import { refuseUnfinished } from './iso-source.ts';
import { openImage, type ReadableImage } from './open-image.ts';
import { readInitrdFrom } from './read-iso.ts';

/** One property that two images have in another way; null is: not told, or not there. */
export interface PropertyChange {
  readonly what: string;
  readonly a: string | null;
  readonly b: string | null;
}

/** One embedded file that differs; a size is null where it is absent. */
export interface EmbeddedChange {
  readonly path: string;
  readonly aBytes: number | null;
  readonly bBytes: number | null;
}

/** What differs between two live ISOs. */
export interface IsoDiff {
  readonly same: boolean;
  /** Volume, sizes, areas, features. */
  readonly properties: readonly PropertyChange[];
  readonly kargs: {
    readonly current: readonly string[];
    readonly default: readonly string[];
    readonly sameLine: boolean;
  };
  readonly embedded: readonly EmbeddedChange[];
  /** The differences between the embedded Ignition configs; null unless both have one that can be read. */
  readonly ignition: readonly IgnitionChange[] | null;
  /** All bytes outside the areas. */
  readonly otherBytes: ByteComparison;
}

type Properties = readonly (readonly [what: string, value: string | undefined])[];

function areaText(iso: IsoImage): string {
  const { file, offset, sizeBytes } = iso.ignition;
  return `${sizeBytes} bytes at ${offset} (${file})`;
}

function kargsText({ kargs }: IsoImage): string | undefined {
  if (kargs === undefined) return undefined;
  const places = kargs.areas.map(({ file, offset }) => `${offset} (${file})`).join(', ');
  return `${kargs.capacityBytes} bytes at ${places}`;
}

function propertiesOf({ iso, os, architecture }: IsoDescription): Properties {
  const { installerConfig, liveInitrdNetwork, installerDirectives } = iso.features;
  return [
    ['volume', iso.volumeId],
    ['size', `${iso.sizeBytes} bytes`],
    ['system', os === undefined ? undefined : `${os.name} ${os.version}`],
    ['architecture', architecture],
    ['generation', iso.generation],
    ['embed area', areaText(iso)],
    ['kernel argument area', kargsText(iso)],
    ['feature installer-config', String(installerConfig)],
    ['feature live-initrd-network', String(liveInitrdNetwork)],
    ['installer directives', installerDirectives.join(' ')],
  ];
}

function diffProperties(a: IsoDescription, b: IsoDescription): PropertyChange[] {
  const others = new Map(propertiesOf(b));
  return propertiesOf(a)
    .map(([what, value]) => ({ what, a: value ?? null, b: others.get(what) ?? null }))
    .filter((change) => change.a !== change.b);
}

type Files = ReadonlyMap<string, Uint8Array>;

function diffEmbedded(a: Files, b: Files): EmbeddedChange[] {
  return [...new Set([...a.keys(), ...b.keys()])].sort().flatMap((path) => {
    const [before, after] = [a.get(path), b.get(path)];
    if (before !== undefined && after !== undefined && Buffer.compare(before, after) === 0) return [];
    return [{ path, aBytes: before?.length ?? null, bBytes: after?.length ?? null }];
  });
}

function diffConfigs(
  a: ReadableImage,
  before: Files,
  b: ReadableImage,
  after: Files,
): IgnitionChange[] | null {
  const [old, now] = [before.get(IGNITION_PATH), after.get(IGNITION_PATH)];
  if (old === undefined || now === undefined) return null;
  try {
    return diffIgnition(
      parseIgnition(old, `the Ignition of ${a.path}`),
      parseIgnition(now, `the Ignition of ${b.path}`),
    );
  } catch (error) {
    // One of them is no config: that the bytes differ is said anyway.
    if (error instanceof EdgefabError && error.code === 'IGNITION_INVALID') return null;
    throw error;
  }
}

function areaSpans({ ignition, kargs }: IsoImage): Span[] {
  return [
    { start: ignition.offset, end: ignition.offset + ignition.sizeBytes },
    ...(kargs?.areas ?? []).map(({ offset }) => ({
      start: offset,
      end: offset + (kargs?.capacityBytes ?? 0),
    })),
  ];
}

/**
 * Tells what differs between two live ISOs: what they say of themselves, kernel arguments word by word, embedded files,
 * the Ignition configs (secrets masked), and whether all other bytes are the same. Throws what `describeIso` throws, and
 * the reason of `signal`.
 */
export async function diffIso(pathA: string, pathB: string, signal?: AbortSignal): Promise<IsoDiff> {
  await refuseUnfinished(pathA);
  await refuseUnfinished(pathB);
  await using a = await openImage(pathA);
  await using b = await openImage(pathB);
  const [before, after] = [await describeImage(a), await describeImage(b)];
  const [filesA, filesB] = [await readInitrdFrom(a, before.iso), await readInitrdFrom(b, after.iso)];
  const volume = await readIso9660(a.readAt, a.sizeBytes);
  const otherBytes = await compareBytes([a, b], {
    spans: [...areaSpans(before.iso), ...areaSpans(after.iso)],
    files: await volume.listFiles(),
    ...(signal === undefined ? {} : { signal }),
  });
  const properties = diffProperties(before, after);
  const embedded = diffEmbedded(filesA, filesB);
  const sameLine = (before.kargs?.current ?? '') === (after.kargs?.current ?? '');
  const defaults = diffKargs(before.kargs?.default ?? '', after.kargs?.default ?? '');
  return {
    same: properties.length + embedded.length + defaults.length === 0 && sameLine && otherBytes.same,
    properties,
    kargs: {
      current: diffKargs(before.kargs?.current ?? '', after.kargs?.current ?? ''),
      default: defaults,
      sameLine,
    },
    embedded,
    ignition: diffConfigs(a, filesA, b, filesB),
    otherBytes,
  };
}
