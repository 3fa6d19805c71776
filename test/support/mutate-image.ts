import { DESCRIPTOR, RECORD, SECTOR_BYTES, SYSTEM_AREA_BYTES } from '../../src/formats/iso9660-layout.ts';
import type { SeededRandom } from './seeded-random.ts';

/** An image that something was done to, and what, for the message of a failure. */
export interface Mutation {
  readonly bytes: Buffer;
  readonly done: readonly string[];
}

/** Where mutations are worth while: all that is read to find the areas, not the zeros between. */
export interface MutationTargets {
  /** Offsets of directory records. */
  readonly records: readonly number[];
  /** Offsets and lengths of texts: JSON files. */
  readonly texts: readonly (readonly [number, number])[];
  /** Offset and length of the Ignition area's content. */
  readonly area: readonly [number, number];
}

const EXTREMES = [0, 1, 2, 0x7f, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_fffe, 0xffff_ffff];
const RECORD_FIELDS: readonly (readonly [keyof typeof RECORD, 1 | 4])[] = [
  ['length', 1],
  ['attributeSectors', 1],
  ['extentSector', 4],
  ['dataBytes', 4],
  ['flags', 1],
  ['unitSectors', 1],
  ['gapSectors', 1],
  ['nameBytes', 1],
];
const DESCRIPTOR_FIELDS = [
  DESCRIPTOR.volumeSectors,
  DESCRIPTOR.sectorBytes,
  DESCRIPTOR.rootRecord + RECORD.extentSector,
  DESCRIPTOR.rootRecord + RECORD.dataBytes,
];
const LEGACY_HEADERS = { offset: SYSTEM_AREA_BYTES - 96, numbers: 12 } as const;
const NUMBERS = ['0', '1', '-1', '9007199254740991', '9007199254740993', '1e300', 'null', '""', '[]', '0.5'];

type Mutate = (bytes: Buffer, random: SeededRandom, targets: MutationTargets) => string;

function write32(bytes: Buffer, value: number, at: number): void {
  if (at + 4 <= bytes.length) bytes.writeUInt32LE(value, at);
}

const flip: Mutate = (bytes, random, { records, texts, area }) => {
  const [from, length] = random.pick<readonly [number, number]>([
    [SYSTEM_AREA_BYTES - 96, 96],
    [SYSTEM_AREA_BYTES, SECTOR_BYTES],
    [random.pick(records), 64],
    ...texts,
    area,
    [0, bytes.length],
  ]);
  const at = Math.min(from + random.below(length), bytes.length - 1);
  const bit = random.below(8);
  bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
  return `bit ${bit} at ${at}`;
};

const damageRecord: Mutate = (bytes, random, { records }) => {
  const record = random.pick(records);
  const [field, size] = random.pick(RECORD_FIELDS);
  const self = bytes.readUInt32LE(record + RECORD.extentSector);
  const value = random.pick([...EXTREMES, self, Math.floor(record / SECTOR_BYTES)]);
  if (size === 1) bytes[record + RECORD[field]] = value & 0xff;
  else write32(bytes, value, record + RECORD[field]);
  return `record at ${record}, ${field} = ${value}`;
};

const damageDescriptor: Mutate = (bytes, random) => {
  const at = SYSTEM_AREA_BYTES + random.pick(DESCRIPTOR_FIELDS);
  const value = random.pick(EXTREMES);
  write32(bytes, value, at);
  return `descriptor at ${at} = ${value}`;
};

const damageHeader: Mutate = (bytes, random) => {
  const at = LEGACY_HEADERS.offset + 8 * random.below(LEGACY_HEADERS.numbers);
  const value = random.pick([...EXTREMES.map(BigInt), 2n ** 53n, 2n ** 64n - 1n, BigInt(bytes.length)]);
  bytes.writeBigUInt64LE(value, at);
  return `header at ${at} = ${value}`;
};

/** Replaces a number, a word or a brace; what is longer than what was there takes the bytes behind it. */
const damageText: Mutate = (bytes, random, targets) => {
  const [from, length] = random.pick(targets.texts);
  const text = bytes.toString('latin1', from, from + length);
  const tokens = [...text.matchAll(/\d+|"[^"]*"|[{}[\],:]/g)];
  if (tokens.length === 0) return flip(bytes, random, targets);
  const token = random.pick(tokens);
  const value = random.pick([...NUMBERS, '"../../../x"', '"images"', '{', '}', '"\\u0000"', '"ä"']);
  bytes.write(value, from + token.index, 'utf8');
  return `text at ${from + token.index} = ${value}`;
};

/** Overwrites a run: what a dying stick gives back. */
const smear: Mutate = (bytes, random, { records, area }) => {
  const from = random.pick([random.pick(records), area[0], SYSTEM_AREA_BYTES, random.below(bytes.length)]);
  const length = 1 + random.below(300);
  const value = random.pick([0x00, 0xff, 0x30, 0x41]);
  bytes.fill(value, from, Math.min(from + length, bytes.length));
  return `${length} bytes of ${value} at ${from}`;
};

const copySector: Mutate = (bytes, random) => {
  const sectors = Math.floor(bytes.length / SECTOR_BYTES);
  const [from, to] = [random.below(sectors), random.below(sectors)];
  bytes.copyWithin(to * SECTOR_BYTES, from * SECTOR_BYTES, (from + 1) * SECTOR_BYTES);
  return `sector ${from} to ${to}`;
};

const MUTATIONS: readonly Mutate[] = [
  flip,
  flip,
  damageRecord,
  damageRecord,
  damageRecord,
  damageDescriptor,
  damageHeader,
  damageText,
  damageText,
  smear,
  copySector,
];

/** Finds what is worth damaging in an image of the made kind. */
export function mutationTargets(image: Buffer, area: readonly [number, number]): MutationTargets {
  const records: number[] = [SYSTEM_AREA_BYTES + DESCRIPTOR.rootRecord];
  // Every directory of a made image begins with a record of itself: its sector, in both byte orders.
  for (let at = SYSTEM_AREA_BYTES; at + SECTOR_BYTES <= image.length; at += SECTOR_BYTES) {
    const isDirectory =
      image[at] === RECORD.name + 1 && image.readUInt32LE(at + RECORD.extentSector) === at / SECTOR_BYTES;
    for (let record = at; isDirectory && (image[record] ?? 0) > 0; record += image[record] ?? 0)
      records.push(record);
  }
  const texts: [number, number][] = [];
  for (let at = image.indexOf('{\n'); at !== -1; at = image.indexOf('{\n', at + SECTOR_BYTES)) {
    if (at % SECTOR_BYTES === 0) texts.push([at, image.indexOf('\n}\n', at) + 2 - at]);
    else at -= SECTOR_BYTES - 1;
  }
  return { records, texts: texts.length > 0 ? texts : [[SYSTEM_AREA_BYTES, SECTOR_BYTES]], area };
}

/** Damages a copy of an image in one to four ways, and now and then cuts it short. */
export function mutateImage(image: Buffer, targets: MutationTargets, random: SeededRandom): Mutation {
  const bytes = Buffer.from(image);
  const done: string[] = [];
  for (let count = 1 + random.below(4); count > 0; count -= 1) {
    done.push(random.pick(MUTATIONS)(bytes, random, targets));
  }
  if (random.below(20) !== 0) return { bytes, done };
  const length = random.below(bytes.length);
  return { bytes: bytes.subarray(0, length), done: [...done, `cut to ${length}`] };
}
