import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadCacheFile } from '../../../src/mirror/store/cache-file.ts';
import { carryExecutable } from '../../../src/mirror/store/carry-executable.ts';
import { findStale } from '../../../src/mirror/store/gc-cache.ts';
import { loadCache } from '../../../src/mirror/store/load-cache.ts';
import { openStore } from '../../../src/mirror/store/store.ts';
import { verifyCache } from '../../../src/mirror/store/verify-cache.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { makeCache } from '../../support/made-cache.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';
import { canMount, mountSmallDisk } from '../../support/small-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const IMAGES = { 'quay.io/a/b': { config: 100, layer: 2_000 } };
const MIB = 1024 * 1024;

async function cacheAndProgram(seed = 'program') {
  const folder = tempFolder();
  const cache = await makeCache(folder, IMAGES);
  const program = join(folder, 'built');
  const bytes = madeUpBytes(3 * MIB, seed);
  writeFileSync(program, bytes);
  return { cache, program, bytes, target: join(cache, 'edgefab') };
}

const verify = (cache: string) => verifyCache(cache, { parallel: 2 });

test('the program is put there, can be run, and its sha256 is noted', async () => {
  const { cache, program, bytes, target } = await cacheAndProgram();
  expect(await carryExecutable(cache, program)).toEqual({
    state: 'copied',
    path: target,
    sizeBytes: bytes.length,
  });
  expect(readFileSync(target).equals(bytes)).toBe(true);
  expect(statSync(target).mode & 0o7777).toBe(0o755);
  expect((await loadCacheFile(cache))?.executable).toEqual({
    sha256: digestOf(bytes),
    sizeBytes: bytes.length,
  });
  expect(readdirSync(cache).filter((name) => name.includes('tmp') && name !== 'tmp')).toEqual([]);
});

test('the same program is written once, another one replaces it', async () => {
  const { cache, program, target } = await cacheAndProgram();
  await carryExecutable(cache, program);
  const { ino } = statSync(target);
  expect(await carryExecutable(cache, program)).toMatchObject({ state: 'kept' });
  expect(statSync(target).ino).toBe(ino);
  const newer = madeUpBytes(2 * MIB, 'newer');
  writeFileSync(program, newer);
  expect(await carryExecutable(cache, program)).toMatchObject({ state: 'copied' });
  expect(readFileSync(target).equals(newer)).toBe(true);
});

test('a program started from the cache leaves itself where it is', async () => {
  const { cache, program, target } = await cacheAndProgram();
  await carryExecutable(cache, program);
  expect(await carryExecutable(cache, target)).toMatchObject({ state: 'kept' });
});

test('without a program the one that is there stays, and the note goes with one that is gone', async () => {
  const { cache, program, target } = await cacheAndProgram();
  await carryExecutable(cache, program);
  expect(await carryExecutable(cache, undefined)).toEqual({ state: 'none' });
  expect(existsSync(target)).toBe(true);
  expect((await verify(cache)).faults).toEqual([]);
  rmSync(target);
  await carryExecutable(cache, undefined);
  expect(await loadCacheFile(cache)).not.toHaveProperty('executable');
  expect((await verify(cache)).faults).toEqual([]);
});

test('verify reads the program too, and gc leaves it', async () => {
  const { cache, program, bytes, target } = await cacheAndProgram();
  await carryExecutable(cache, program);
  const whole = await verify(cache);
  expect(whole).toMatchObject({ faults: [], strays: [] });
  expect(await findStale(cache)).toEqual([]);

  const wrong = Buffer.from(bytes);
  wrong[MIB] = (wrong[MIB] ?? 0) ^ 1;
  writeFileSync(target, wrong);
  expect((await verify(cache)).faults).toMatchObject([
    { kind: 'digest', path: 'edgefab', want: digestOf(bytes) },
  ]);
  writeFileSync(target, 'short');
  expect((await verify(cache)).faults).toMatchObject([{ kind: 'size', path: 'edgefab', got: '5 bytes' }]);
  rmSync(target);
  expect((await verify(cache)).faults).toMatchObject([{ kind: 'missing', path: 'edgefab' }]);
  expect(await carryExecutable(cache, program)).toMatchObject({ state: 'copied' });
  expect((await verify(cache)).faults).toEqual([]);
});

test('the next lock of the cache keeps the note', async () => {
  const { cache, program } = await cacheAndProgram();
  await carryExecutable(cache, program);
  const { lock } = await loadCache(cache);
  const store = await openStore(cache, { writer: 'edgefab/test', sectorBytes: 512 });
  expect(await store.begin(lock)).toHaveProperty('executable');
  expect(await store.complete(lock)).toHaveProperty('executable');
});

test('a program that cannot be read leaves the cache as it was', async () => {
  const { cache, target } = await cacheAndProgram();
  await expect(carryExecutable(cache, join(cache, 'none'))).rejects.toMatchObject({ code: 'ENOENT' });
  expect(existsSync(target)).toBe(false);
  expect(await loadCacheFile(cache)).not.toHaveProperty('executable');
});

test('the mode does not hang on the one of the source', async () => {
  const { cache, program, target } = await cacheAndProgram();
  chmodSync(program, 0o600);
  await carryExecutable(cache, program);
  expect(statSync(target).mode & 0o7777).toBe(0o755);
});

test.skipIf(!canMount)(
  `a disk that is too full is told, and nothing is begun${canMount ? '' : ' (SKIPPED: needs root and a loop device)'}`,
  async () => {
    const disk = mountSmallDisk(4 * MIB);
    const cache = await makeCache(disk, IMAGES);
    const program = join(tempFolder(), 'built');
    writeFileSync(program, madeUpBytes(8 * MIB, 'large'));
    expect(await carryExecutable(cache, program)).toMatchObject({
      state: 'no room',
      neededBytes: 8 * MIB,
    });
    expect(
      readdirSync(cache).filter((name) => name.startsWith('edgefab.') && name !== 'edgefab.lock'),
    ).toEqual([]);
  },
);
