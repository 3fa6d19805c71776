import { constants, deflateRawSync } from 'node:zlib';
import { decodeDataUrl } from '../../formats/data-url.ts';
import { IGNITION_PATH, NETWORK_FOLDER } from './initrd.ts';

/** What one part of an embed area takes up. */
export interface EmbedShare {
  /** `other`: what the Ignition config holds besides files and units, or what else is in the area. */
  readonly kind: 'file' | 'unit' | 'network' | 'other';
  /** A file's path on the machine, a unit's or keyfile's name. */
  readonly name: string;
  /** As it is on the machine. */
  readonly rawBytes: number;
  /** An estimate: what it adds to the parts before it, all scaled to what they take up together. */
  readonly compressedBytes: number;
}

interface Part extends Omit<EmbedShare, 'compressedBytes'> {
  /** The bytes as they are in the area. */
  readonly encoded: Uint8Array;
}

type Json = Readonly<Record<string, unknown>>;

function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function objects(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isObject) : [];
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function contentBytes(source: unknown): number {
  try {
    return decodeDataUrl(text(source)).bytes.length;
  } catch {
    // Fetched from elsewhere, or broken: its text is all that is here.
    return Buffer.byteLength(text(source));
  }
}

function filePart(file: Json): Part {
  const contents = [file.contents, ...(Array.isArray(file.append) ? file.append : [])].filter(isObject);
  return {
    kind: 'file',
    name: text(file.path),
    rawBytes: contents.reduce((sum, { source }) => sum + contentBytes(source), 0),
    encoded: Buffer.from(JSON.stringify(file)),
  };
}

function unitPart(unit: Json): Part {
  const texts = [unit, ...objects(unit.dropins)].map(({ contents }) => text(contents));
  return {
    kind: 'unit',
    name: text(unit.name),
    rawBytes: Buffer.byteLength(texts.join('')),
    encoded: Buffer.from(JSON.stringify(unit)),
  };
}

function ignitionParts(bytes: Uint8Array): Part[] {
  let config: unknown;
  try {
    config = JSON.parse(Buffer.from(bytes).toString());
  } catch {
    // Not for us to judge: what is embedded need not be a config we know.
  }
  const whole: Part = { kind: 'other', name: IGNITION_PATH, rawBytes: bytes.length, encoded: bytes };
  if (!isObject(config)) return [whole];
  const { storage, systemd, ...others } = config;
  const { files, ...otherStorage } = isObject(storage) ? storage : {};
  const { units, ...otherSystemd } = isObject(systemd) ? systemd : {};
  const rest = Buffer.from(JSON.stringify({ ...others, storage: otherStorage, systemd: otherSystemd }));
  return [
    ...objects(files).map(filePart),
    ...objects(units).map(unitPart),
    { kind: 'other', name: 'the rest of the Ignition config', rawBytes: rest.length, encoded: rest },
  ];
}

function partsOf(path: string, bytes: Uint8Array): Part[] {
  if (path === IGNITION_PATH) return ignitionParts(bytes);
  const isNetwork = path.startsWith(`${NETWORK_FOLDER}/`);
  const name = isNetwork ? path.slice(NETWORK_FOLDER.length + 1) : path;
  return [{ kind: isNetwork ? 'network' : 'other', name, rawBytes: bytes.length, encoded: bytes }];
}

/** How far back deflate sees (RFC 1951 2). */
const WINDOW_BYTES = 32 * 1024;

/** Compresses each part as one that follows the others: what they have in common counts once. */
function compressedInTurn(parts: readonly Part[]): number[] {
  let before: Buffer = Buffer.alloc(0);
  return parts.map(({ encoded }) => {
    const options = { level: constants.Z_BEST_COMPRESSION, dictionary: before };
    before = Buffer.concat([before, encoded.subarray(-WINDOW_BYTES)]).subarray(-WINDOW_BYTES);
    return deflateRawSync(encoded, options).length;
  });
}

/**
 * Computes what takes the space of an embed area, the largest first: files and units of the Ignition config, keyfiles.
 * `files` are those of the area, by path; the estimates add up to about `compressedBytes`.
 */
export function embedShares(
  files: ReadonlyMap<string, Uint8Array>,
  compressedBytes: number,
): readonly EmbedShare[] {
  const parts = [...files].flatMap(([path, bytes]) => partsOf(path, bytes));
  const inTurn = compressedInTurn(parts);
  const scale =
    compressedBytes /
    Math.max(
      1,
      inTurn.reduce((sum, bytes) => sum + bytes, 0),
    );
  return parts
    .map(({ kind, name, rawBytes }, index) => ({
      kind,
      name,
      rawBytes,
      compressedBytes: Math.round((inTurn[index] ?? 0) * scale),
    }))
    .sort((left, right) => right.compressedBytes - left.compressedBytes || (left.name < right.name ? -1 : 1));
}
