import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { madeBytes } from '../../../src/factory/demo/made-image.ts';
import { type BlobWriter, openBlobWriter } from '../../../src/mirror/store/blob-writer.ts';
import { storePaths } from '../../../src/mirror/store/store-paths.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const BYTES = madeBytes('blob', 3 * 1024 * 1024 + 17);
const DIGEST = digestOf(BYTES);

function emptyStore(): string {
  const root = tempFolder();
  mkdirSync(storePaths.blobs(root), { recursive: true });
  mkdirSync(storePaths.temporary(root), { recursive: true });
  return root;
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

test.each([
  ['nothing', 0, 0],
  ['a byte', 1, 1],
  ['most of it', BYTES.length - 1, BYTES.length - 1],
  ['all of it', BYTES.length, BYTES.length],
  ['more than all of it', BYTES.length + 1, 0],
])('a run that finds %s of it goes on from there', async (_, held, offset) => {
  const root = emptyStore();
  writeFileSync(storePaths.partial(root, DIGEST), Buffer.concat([BYTES, Buffer.of(0)]).subarray(0, held));
  const writer = await openBlobWriter(root, DIGEST, BYTES.length);
  expect(writer.offset).toBe(offset);
  await feed(writer, BYTES.subarray(offset));
  await writer.finish();
  expect(readFileSync(storePaths.blob(root, DIGEST)).equals(BYTES)).toBe(true);
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

test('a partial with a wrong byte is found out at the end, and is gone', async () => {
  const root = emptyStore();
  const wrong = Buffer.from(BYTES.subarray(0, 1000));
  wrong[500] = (wrong[500] ?? 0) ^ 1;
  writeFileSync(storePaths.partial(root, DIGEST), wrong);
  const writer = await openBlobWriter(root, DIGEST, BYTES.length);
  await feed(writer, BYTES.subarray(1000));
  await expect(writer.finish()).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH', exitCode: 6 });
  await writer.suspend();
  expect(existsSync(storePaths.partial(root, DIGEST))).toBe(false);
  expect(existsSync(storePaths.blob(root, DIGEST))).toBe(false);
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
