import { spawnSync } from 'node:child_process';
import { describe, expect, it, test } from 'vitest';
import { findXzStream } from '../../src/formats/xz-stream.ts';
import { madeUpBytes } from '../support/made-up-bytes.ts';
import { haveTools } from '../support/tools.ts';
import { xzStreamOf } from '../support/xz-stream-of.ts';

describe('streams that must be found', () => {
  const rows: [string, Buffer, number][] = [
    ['no block', xzStreamOf([0]), 0],
    ['one block', xzStreamOf([1, 20, 5]), 5],
    ['two blocks', xzStreamOf([2, 20, 5, 30, 6]), 11],
    ['sizes of several bytes', xzStreamOf([1, 70_000, 64 * 1024 * 1024]), 64 * 1024 * 1024],
    ['the end mark inside', xzStreamOf([1, 20, 5], Buffer.from('YZYZxxYZ')), 5],
  ];
  test.each(rows)('%s', (_, stream, unpackedBytes) => {
    const want = { lengthBytes: stream.length, unpackedBytes };
    expect(findXzStream(stream)).toEqual(want);
    expect(findXzStream(Buffer.concat([stream, Buffer.alloc(100)]))).toEqual(want);
    expect(findXzStream(Buffer.concat([stream, stream]))).toEqual(want);
  });
});

describe('bytes that are no stream', () => {
  const good = xzStreamOf([1, 20, 5]);
  const patched = (at: number) => {
    const bytes = Buffer.from(good);
    bytes[at] = (bytes[at] ?? 0) ^ 0x10;
    return bytes;
  };
  const rows: [string, Buffer][] = [
    ['nothing', Buffer.alloc(0)],
    ['another magic', patched(0)],
    ['other flags than the footer', patched(7)],
    ['a damaged index', patched(13)],
    ['a damaged index checksum', patched(good.length - 13)],
    ['a damaged footer checksum', patched(good.length - 12)],
    ['a damaged size of the index', patched(good.length - 8)],
    ['a footer cut off', good.subarray(0, -1)],
    ['a count of more blocks than there are', xzStreamOf([9, 20, 5])],
    ['a size of more than six bytes', xzStreamOf([1, 20, 2 ** 45])],
    ['end marks and nothing else', Buffer.concat([good.subarray(0, 12), Buffer.alloc(262_144, 'YZ')])],
  ];
  test.each(rows)('%s', (_, bytes) => {
    expect(findXzStream(bytes)).toBeUndefined();
  });
});

const hasXz = haveTools('xz');

describe.skipIf(!hasXz)(`xz${hasXz ? '' : ' (SKIPPED: no xz on PATH)'}`, () => {
  const xz = (input: Uint8Array, ...flags: string[]) =>
    spawnSync('xz', ['-c', ...flags], { input, maxBuffer: 1024 * 1024 }).stdout;

  it.each([
    ['preset 9, CRC32', ['-9', '--check=crc32']],
    ['preset 1, CRC64', ['-1']],
    ['many blocks', ['--block-size=1000']],
  ])('ends of its streams are found: %s', (_, flags) => {
    const bytes = madeUpBytes(20_000);
    const stream = xz(bytes, ...flags);
    const want = { lengthBytes: stream.length, unpackedBytes: 20_000 };
    expect(findXzStream(Buffer.concat([stream, Buffer.alloc(512), xz(Buffer.from('next'))]))).toEqual(want);
  });
});
