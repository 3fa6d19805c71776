import { spawnSync } from 'node:child_process';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { compressInitrd, embedBudget } from '../../../src/boot/iso/compress-initrd.ts';
import { decodeInitrd, encodeInitrd } from '../../../src/boot/iso/initrd.ts';
import { loadLiblzma } from '../../../src/boot/iso/liblzma.ts';
import { decodeCpio, encodeCpio } from '../../../src/formats/cpio.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';

const text = (value: string) => Buffer.from(value);
const one = encodeInitrd([{ path: 'config.ign', bytes: text('{"a":1}') }]);
const two = encodeInitrd([{ path: 'etc/net/x', bytes: text('x') }]);
const { compress } = await loadLiblzma();
const xzOne = await compress(one);
const asText = async (area: Uint8Array) =>
  Object.fromEntries(
    [...(await decodeInitrd(area, 'test'))].map(([name, bytes]) => [name, Buffer.from(bytes).toString()]),
  );

it('puts each folder before what is in it, once', () => {
  const archive = encodeInitrd([
    { path: 'etc/net/b', bytes: text('b') },
    { path: 'config.ign', bytes: text('{}') },
    { path: 'etc/net/a', bytes: text('a') },
  ]);
  expect(decodeCpio(archive).map(({ name, mode }) => `${mode.toString(8)} ${name}`)).toEqual([
    '100600 config.ign',
    '40755 etc',
    '40755 etc/net',
    '100600 etc/net/a',
    '100600 etc/net/b',
  ]);
});

describe('areas that must be decoded', () => {
  const config = { 'config.ign': '{"a":1}' };
  const both = { ...config, 'etc/net/x': 'x' };
  const zeros = Buffer.alloc(5000);
  const rows: [string, Uint8Array, Record<string, string>][] = [
    ['empty', zeros, {}],
    ['plain', Buffer.concat([one, zeros]), config],
    ['gzip', Buffer.concat([gzipSync(one), zeros]), config],
    ['gzip to the last byte', gzipSync(one), config],
    ['xz', Buffer.concat([xzOne, zeros]), config],
    ['xz to the last byte', xzOne, config],
    ['zstd', Buffer.concat([zstdCompressSync(one), zeros]), config],
    ['two plain ones', Buffer.concat([one, zeros, two]), both],
    ['two gzips', Buffer.concat([gzipSync(one), gzipSync(two), zeros]), both],
    ['two gzips, zeros between', Buffer.concat([gzipSync(one), zeros, gzipSync(two)]), both],
    ['zstd, then plain', Buffer.concat([zstdCompressSync(one), zeros, two]), both],
    ['zeros in front', Buffer.concat([zeros, gzipSync(one)]), config],
    [
      'a name twice',
      Buffer.concat([encodeInitrd([{ path: 'config.ign', bytes: text('old') }]), one]),
      config,
    ],
    [
      'a link named like the config',
      encodeCpio([{ name: 'config.ign', mode: 0o120_777, bytes: text('/etc/shadow') }]),
      {},
    ],
  ];
  test.each(rows)('%s', async (_, area, want) => {
    expect(await asText(area)).toEqual(want);
  });
});

describe('areas that must not be decoded', () => {
  const bomb = Buffer.alloc(100 * 1024 * 1024);
  const rows: [string, Uint8Array, string][] = [
    ['text', text('not an archive'), 'CPIO_INVALID'],
    ['cut gzip', gzipSync(one).subarray(0, 40), 'ISO_INVALID'],
    ['damaged gzip', Buffer.concat([gzipSync(one).subarray(0, -6), text('xxxxxx')]), 'ISO_INVALID'],
    ['cut xz', xzOne.subarray(0, 40), 'ISO_INVALID'],
    ['cut zstd', zstdCompressSync(one).subarray(0, 30), 'ISO_INVALID'],
    ['gzip of text', gzipSync(text('hello')), 'CPIO_INVALID'],
    ['a gzip bomb', gzipSync(bomb), 'ISO_INVALID'],
    ['a zstd bomb', zstdCompressSync(bomb), 'ISO_INVALID'],
  ];
  test.each(rows)('%s', async (_, area, code) => {
    await expect(decodeInitrd(area, 'test area')).rejects.toMatchObject({ code });
  });
});

const hasXz = spawnSync('xz', ['--version']).status === 0;
const xzSkip = hasXz ? '' : ' (SKIPPED: no xz on PATH)';

it.skipIf(!hasXz)(`must not decode an xz bomb${xzSkip}`, async () => {
  for (const size of [70, 130]) {
    const { stdout } = spawnSync('xz', ['-0', '-c'], { input: Buffer.alloc(size * 1024 * 1024) });
    await expect(decodeInitrd(stdout, 'test area')).rejects.toMatchObject({ code: 'ISO_INVALID' });
  }
});

describe('compression', () => {
  it('is gzip without name, time or system, when that fits', async () => {
    const { bytes, compression } = await compressInitrd(one, 1000);
    expect(compression).toBe('gzip');
    expect([...bytes.subarray(0, 10)]).toEqual([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 2, 3]);
    expect(await asText(bytes)).toEqual({ 'config.ign': '{"a":1}' });
  });

  it('is xz with CRC32 when gzip does not fit', async () => {
    // The same noise twice, farther apart than gzip looks back.
    const noise = madeUpBytes(100_000);
    const archive = encodeInitrd([{ path: 'config.ign', bytes: Buffer.concat([noise, noise]) }]);
    const { bytes, compression, compressedBytes } = await compressInitrd(archive, 150_000);
    expect(compression).toBe('xz');
    expect(compressedBytes).toBe(bytes.length);
    expect(compressedBytes).toBeLessThan(101_000);
    // The stream flags, xz file format 2.1.1.2: check 1 is CRC32.
    expect([...bytes.subarray(6, 8)]).toEqual([0, 1]);
    expect((await decodeInitrd(bytes, 'test')).get('config.ign')?.length).toBe(200_000);
  });

  it.skipIf(!hasXz)(`makes xz that xz reads${xzSkip}`, async () => {
    const { status, stdout } = spawnSync('xz', ['-dc'], { input: await compress(one) });
    expect(status).toBe(0);
    expect(stdout).toEqual(Buffer.from(one));
  });

  it('stays gzip, with the reason, when xz has not enough memory', async () => {
    const huge = await compressInitrd(Buffer.alloc(150 * 1024 * 1024), 1000);
    expect(huge.compression).toBe('gzip');
    expect(huge.xzProblem?.message).toBe('xz cannot compress 157286400 bytes');
  });

  it('is said before it is done', async () => {
    const small = await embedBudget(text('{}'));
    expect(small.compression).toBe('gzip');
    expect(small.compressedBytes).toBeLessThan(200);
    const large = await embedBudget(madeUpBytes(300_000));
    expect(large.compression).toBe('xz');
    expect(large.compressedBytes).toBeGreaterThan(300_000);
    expect(await embedBudget(madeUpBytes(1000), 100)).toMatchObject({ compression: 'xz' });
  });
});
