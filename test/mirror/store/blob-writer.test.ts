import {
  appendFileSync,
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { expect, test } from 'vitest';
import { madeBytes } from '../../../src/factory/demo/made-image.ts';
import { type BlobWriter, openBlobWriter } from '../../../src/mirror/store/blob-writer.ts';
import { sumsPath } from '../../../src/mirror/store/prefix-sums.ts';
import { storePaths } from '../../../src/mirror/store/store-paths.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const BYTES = madeBytes('blob', 3 * 1024 * 1024 + 17);
const DIGEST = digestOf(BYTES);
const MIB = 1024 * 1024;

function emptyStore(): string {
  const root = tempFolder();
  mkdirSync(storePaths.blobs(root), { recursive: true });
  mkdirSync(storePaths.temporary(root), { recursive: true });
  return root;
}

function spoil(path: string, from: number, to: number, byte: number): void {
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(to - from, byte), 0, to - from, from);
  closeSync(file);
}

async function feed(writer: BlobWriter, bytes: Uint8Array, chunk = 65_536): Promise<void> {
  for (let at = 0; at < bytes.length; at += chunk) await writer.write(bytes.subarray(at, at + chunk));
}

test.each([1, 65_536, 4 * 1024 * 1024])(
  'a blob in chunks of %i bytes gets its name when it is whole',
  async (chunk) => {
    const root = emptyStore();
    const bytes = chunk === 1 ? BYTES.subarray(0, 5000) : BYTES;
    const digest = digestOf(bytes);
    const writer = await openBlobWriter(root, digest, bytes.length);
    await feed(writer, bytes, chunk);
    expect(existsSync(storePaths.blob(root, digest))).toBe(false);
    await writer.finish();
    expect(readFileSync(storePaths.blob(root, digest)).equals(bytes)).toBe(true);
    expect(existsSync(storePaths.partial(root, digest))).toBe(false);
  },
);

/** Kept, so that their files are not closed while the tests run: a killed run closes nothing. */
const killed: BlobWriter[] = [];

/** Leaves a partial as a run does that was killed after so many bytes. */
async function leavePartial(root: string, bytes: Uint8Array, whole = false): Promise<void> {
  const writer = await openBlobWriter(root, DIGEST, BYTES.length);
  writer.syncEvery(MIB);
  await feed(writer, bytes);
  if (whole) await writer.suspend();
  else killed.push(writer);
}

test.each([
  ['nothing', 0, 0],
  ['a byte', 1, 1],
  ['most of it', BYTES.length - 1, BYTES.length - 1],
  ['all of it', BYTES.length, BYTES.length],
])('a run that was ended with %s of it goes on from there', async (_, held, offset) => {
  const root = emptyStore();
  await leavePartial(root, BYTES.subarray(0, held), true);
  const writer = await openBlobWriter(root, DIGEST, BYTES.length);
  expect(writer.offset).toBe(offset);
  await feed(writer, BYTES.subarray(offset));
  await writer.finish();
  expect(readFileSync(storePaths.blob(root, DIGEST)).equals(BYTES)).toBe(true);
  expect(readdirSync(storePaths.temporary(root))).toEqual([]);
});

test.each([1, MIB - 1, MIB, 2 * MIB + 12_345, BYTES.length - 1])(
  'a run killed after %i bytes has at most a step to fetch again',
  async (held) => {
    const root = emptyStore();
    await leavePartial(root, BYTES.subarray(0, held));
    const writer = await openBlobWriter(root, DIGEST, BYTES.length);
    expect(writer.offset).toBeLessThanOrEqual(held);
    expect(held - writer.offset).toBeLessThan(MIB / 2);
    await feed(writer, BYTES.subarray(writer.offset));
    await writer.finish();
  },
);

// What a power cut may do to bytes that were not flushed yet, and to what vouches for them.
test.each<[string, (partial: string) => void, number]>([
  ['cuts the tail', (path) => truncateSync(path, 2 * MIB - 100), 1.5 * MIB],
  ['zeroes the tail', (path) => spoil(path, 2 * MIB + 1, 3 * MIB, 0), 2 * MIB],
  ['leaves a hole', (path) => spoil(path, 2 * MIB, 2 * MIB + 4096, 0), 2 * MIB],
  ['leaves other bytes', (path) => spoil(path, 1.5 * MIB, 3 * MIB, 7), 1.5 * MIB],
  ['grows the file', (path) => appendFileSync(path, Buffer.alloc(5000)), 3 * MIB],
  ['cuts the sums', (path) => truncateSync(sumsPath(path), 4 * 40 + 17), 2 * MIB],
  ['zeroes the end of the sums', (path) => spoil(sumsPath(path), 5 * 40, 6 * 40, 0), 2.5 * MIB],
  ['loses the sums', (path) => rmSync(sumsPath(path)), 0],
  ['loses the partial', (path) => rmSync(path), 0],
])('a power cut that %s costs no more than what was not flushed', async (_, cut, offset) => {
  const root = emptyStore();
  await leavePartial(root, BYTES.subarray(0, 3 * MIB));
  cut(storePaths.partial(root, DIGEST));
  const writer = await openBlobWriter(root, DIGEST, BYTES.length);
  expect(writer.offset).toBe(offset);
  await feed(writer, BYTES.subarray(offset));
  await writer.finish();
  expect(readFileSync(storePaths.blob(root, DIGEST)).equals(BYTES)).toBe(true);
});

test('a partial that nothing vouches for is not trusted, and one that is too long is cut', async () => {
  const root = emptyStore();
  writeFileSync(storePaths.partial(root, DIGEST), BYTES);
  const writer = await openBlobWriter(root, DIGEST, BYTES.length);
  expect(writer.offset).toBe(0);
  await feed(writer, BYTES.subarray(0, 100));
  await writer.suspend();
  expect(statSync(storePaths.partial(root, DIGEST)).size).toBe(100);
});

test('what is written before a suspend is there after it', async () => {
  const root = emptyStore();
  const first = await openBlobWriter(root, DIGEST, BYTES.length);
  await feed(first, BYTES.subarray(0, 100_001));
  await first.suspend();
  const second = await openBlobWriter(root, DIGEST, BYTES.length);
  expect(second.offset).toBe(100_001);
  await second.suspend();
});

test('a prefix that was wrong when it came is found out at the end, and is gone', async () => {
  const root = emptyStore();
  const wrong = Buffer.from(BYTES.subarray(0, 1000));
  wrong[500] = (wrong[500] ?? 0) ^ 1;
  await leavePartial(root, wrong, true);
  const writer = await openBlobWriter(root, DIGEST, BYTES.length);
  expect(writer.offset).toBe(1000);
  await feed(writer, BYTES.subarray(1000));
  await expect(writer.finish()).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH', exitCode: 6 });
  expect(writer.offset).toBe(0);
  await writer.suspend();
  expect(readdirSync(storePaths.temporary(root))).toEqual([]);
  expect(existsSync(storePaths.blob(root, DIGEST))).toBe(false);
});

test('a suspended writer that got nothing leaves nothing', async () => {
  const root = emptyStore();
  await (await openBlobWriter(root, DIGEST, BYTES.length)).suspend();
  expect(readdirSync(storePaths.temporary(root))).toEqual([]);
});

test('too few bytes are kept, too many are refused as they come', async () => {
  const root = emptyStore();
  const short = await openBlobWriter(root, DIGEST, BYTES.length);
  await feed(short, BYTES.subarray(0, 10));
  await expect(short.finish()).rejects.toMatchObject({ code: 'BLOB_TRUNCATED', exitCode: 5 });
  await short.suspend();
  const long = await openBlobWriter(root, DIGEST, 12);
  await expect(long.write(Buffer.alloc(3))).rejects.toMatchObject({
    code: 'BLOB_SIZE_MISMATCH',
    exitCode: 6,
  });
  await long.suspend();
});

test('restart forgets everything', async () => {
  const root = emptyStore();
  const writer = await openBlobWriter(root, DIGEST, BYTES.length);
  await feed(writer, Buffer.alloc(2_000_000));
  await writer.restart();
  expect(writer.offset).toBe(0);
  await feed(writer, BYTES);
  await writer.finish();
  expect(readFileSync(storePaths.blob(root, DIGEST)).equals(BYTES)).toBe(true);
});
