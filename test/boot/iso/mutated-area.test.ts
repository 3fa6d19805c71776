import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { compressInitrd } from '../../../src/boot/iso/compress-initrd.ts';
import {
  decodeEmbedArea,
  encodeInitrd,
  MAX_UNPACKED_BYTES,
  NETWORK_FOLDER,
} from '../../../src/boot/iso/initrd.ts';
import { EdgefabError } from '../../../src/errors.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';
import { type SeededRandom, seededRandom } from '../../support/seeded-random.ts';
import { xzStreamOf } from '../../support/xz-stream-of.ts';

const RUNS = 10_000;
const BLOCK = 2_500;
// A wrong xz stream costs a new instance of the WebAssembly module, some milliseconds.
const XZ_RUNS = 150;
/** One seed of a failure message, to run it alone. */
const ONLY = process.env.EDGEFAB_SEED;
const CODES = ['ISO_INVALID', 'CPIO_INVALID'];

const AREA_BYTES = 8192;
const archive = encodeInitrd([
  { path: 'config.ign', bytes: Buffer.from(`{"ignition":{"version":"3.2.0"}}${' '.repeat(300)}`) },
  { path: `${NETWORK_FOLDER}/eno1.nmconnection`, bytes: Buffer.from('[connection]\nid=eno1\n') },
  { path: 'noise', bytes: madeUpBytes(500) },
]);
const gzip = gzipSync(archive);
const zstd = zstdCompressSync(archive);

function padded(...archives: readonly Uint8Array[]): Buffer {
  const area = Buffer.alloc(AREA_BYTES);
  Buffer.concat(archives).copy(area);
  return area;
}

const BASES: readonly (readonly [name: string, area: Buffer])[] = [
  ['plain', padded(archive)],
  ['gzip', padded(gzip)],
  ['zstd', padded(zstd)],
  ['plain, gzip, zstd', padded(archive, Buffer.alloc(3), gzip, zstd)],
  ['gzip twice', padded(gzip, gzip)],
  ['zeros before', padded(Buffer.alloc(100), gzip)],
];

const HEX = '0123456789abcdefABCDEFxg-+ \0';

type Mutate = (area: Buffer, random: SeededRandom) => string;

/** Fields of cpio headers are eight hex digits behind the magic, wherever one is. */
const damageCpio: Mutate = (area, random) => {
  const magics: number[] = [];
  for (let at = area.indexOf('070701'); at !== -1; at = area.indexOf('070701', at + 1)) magics.push(at);
  if (magics.length === 0) return flip(area, random);
  const at = random.pick(magics) + random.below(110);
  const value = random.pick([...HEX]);
  area.write(value, at, 'latin1');
  return `header byte ${at} = ${JSON.stringify(value)}`;
};

const flip: Mutate = (area, random) => {
  const used = area.findLastIndex((byte) => byte !== 0) + 1;
  const at = random.below(used + 4);
  area[at] = (area[at] ?? 0) ^ (1 << random.below(8));
  return `bit at ${at}`;
};

const smear: Mutate = (area, random) => {
  const from = random.below(area.length);
  const length = random.below(200);
  area.fill(random.pick([0, 0xff, 0x30]), from, Math.min(from + length, area.length));
  return `${length} bytes at ${from}`;
};

const move: Mutate = (area, random) => {
  const [from, to, length] = [random.below(4096), random.below(4096), random.below(2048)];
  area.copyWithin(to, from, from + length);
  return `${length} bytes from ${from} to ${to}`;
};

const MUTATIONS = [flip, flip, damageCpio, damageCpio, smear, move];

function damaged(base: Buffer, random: SeededRandom): { area: Buffer; done: string[] } {
  const area = Buffer.from(base);
  const done: string[] = [];
  for (let count = 1 + random.below(3); count > 0; count -= 1)
    done.push(random.pick(MUTATIONS)(area, random));
  return random.below(10) === 0
    ? { area: area.subarray(0, random.below(area.length)), done }
    : { area, done };
}

async function decodeOrRefuse(area: Buffer): Promise<void> {
  try {
    const { files, usedBytes } = await decodeEmbedArea(area, 'the area');
    const total = [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
    expect(total).toBeLessThanOrEqual(MAX_UNPACKED_BYTES + area.length);
    expect(usedBytes).toBeLessThanOrEqual(area.length);
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    expect(CODES).toContain(error.code);
  }
}

async function trySeed(seed: number, bases: typeof BASES): Promise<void> {
  const random = seededRandom(seed);
  const [name, base] = random.pick(bases);
  const { area, done } = damaged(base, random);
  try {
    await decodeOrRefuse(area);
  } catch (cause) {
    throw new Error(`EDGEFAB_SEED=${seed} (${name}; ${done.join('; ')})`, { cause });
  }
}

async function xzArea(): Promise<Buffer> {
  const { bytes, compression } = await compressInitrd(archive, 1);
  expect(compression).toBe('xz');
  return padded(bytes);
}

describe('areas that were damaged', () => {
  // With a seed of one's own only that one is tried.
  const starts = ONLY === undefined ? Array.from({ length: RUNS / BLOCK }, (_, index) => index * BLOCK) : [];
  it.each(starts)(
    `are decoded or refused, seeds %i to ${BLOCK} more`,
    async (start) => {
      for (let seed = start; seed < start + BLOCK; seed += 1) await trySeed(seed, BASES);
    },
    60_000,
  );

  it(`are decoded or refused where xz packed them, ${XZ_RUNS} seeds`, async () => {
    const bases = [['xz', await xzArea()]] as const;
    for (let seed = 0; seed < XZ_RUNS; seed += 1) await trySeed(seed, bases);
  }, 60_000);

  for (const seed of ONLY === undefined ? [] : [Number(ONLY)]) {
    it(`seed ${seed}`, async () => {
      await trySeed(seed, BASES);
      await trySeed(seed, [['xz', await xzArea()]]);
    });
  }

  it.each(BASES)('and not when they are whole: %s', async (_, area) => {
    const { files, usedBytes } = await decodeEmbedArea(area, 'the area');
    expect([...files.keys()]).toEqual(['config.ign', `${NETWORK_FOLDER}/eno1.nmconnection`, 'noise']);
    // Sizes end in zero bytes.
    const last = area.findLastIndex((byte) => byte !== 0);
    expect(usedBytes).toBeGreaterThan(last);
    expect(usedBytes).toBeLessThan(last + 6);
  });
});

it('an xz archive that is a thousandth of what it unpacks to is read', async () => {
  const blank = Buffer.alloc(3_000_000, ' ');
  const { bytes } = await compressInitrd(encodeInitrd([{ path: 'config.ign', bytes: blank }]), 1);
  expect(bytes.length).toBeLessThan(3000);
  const { files } = await decodeEmbedArea(padded(bytes), 'the area');
  expect(blank.equals(files.get('config.ign') ?? Buffer.alloc(0))).toBe(true);
});

describe('areas made to take up memory or time', () => {
  const zeros = Buffer.alloc(MAX_UNPACKED_BYTES + 1);
  const rows: [string, () => Promise<Buffer> | Buffer][] = [
    ['a gzip archive of more than 64 MiB', () => gzipSync(zeros)],
    ['a zstd archive of more than 64 MiB', () => zstdCompressSync(zeros)],
    [
      'gzip archives of more than 64 MiB together',
      () => {
        const part = encodeInitrd([{ path: 'zeros', bytes: zeros.subarray(0, MAX_UNPACKED_BYTES / 4) }]);
        return Buffer.concat(Array.from({ length: 5 }, () => gzipSync(part)));
      },
    ],
    [
      'more than a thousand archives',
      () => Buffer.concat(Array.from({ length: 1100 }, () => gzipSync(encodeInitrd([])))),
    ],
    ['an xz archive that says it has 64 MiB and a byte', () => xzStreamOf([1, 20, MAX_UNPACKED_BYTES + 1])],
    [
      'a whole area of xz ends',
      () => Buffer.concat([Buffer.from('fd377a585a000004', 'hex'), Buffer.alloc(262_136, 'YZ')]),
    ],
  ];
  test.each(rows)('%s', async (_, make) => {
    const area = await make();
    await expect(decodeEmbedArea(area, 'the area')).rejects.toMatchObject({
      code: 'ISO_INVALID',
      suggestions: [expect.stringContaining('edgefab iso reset')],
    });
  });
});
