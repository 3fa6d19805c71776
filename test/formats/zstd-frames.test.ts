import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { openZstdFrameSplitter } from '../../src/formats/zstd-frames.ts';

const noise = Buffer.from(Array.from({ length: 300_000 }, (_, at) => (at * at * 31 + (at >> 7)) & 0xff));
const frame = (content: Uint8Array, params: Record<number, number> = {}) =>
  zstdCompressSync(content, { params });
const skippable = (size: number) => {
  const header = Buffer.from([0x5f, 0x2a, 0x4d, 0x18, 0, 0, 0, 0]);
  header.writeUInt32LE(size, 4);
  return Buffer.concat([header, Buffer.alloc(size, 0x28)]);
};
const checksum = { [constants.ZSTD_c_checksumFlag]: 1 };
const noSize = { [constants.ZSTD_c_contentSizeFlag]: 0 };

function split(data: Uint8Array, step: number): Buffer[] {
  const splitter = openZstdFrameSplitter();
  const frames: Buffer[] = [];
  let held: Uint8Array[] = [];
  for (let at = 0; at < data.length; at += step) {
    for (const { bytes, last } of splitter.push(data.subarray(at, at + step))) {
      held.push(bytes);
      if (!last) continue;
      frames.push(Buffer.concat(held));
      held = [];
    }
  }
  splitter.end();
  expect(held).toEqual([]);
  return frames;
}

describe('openZstdFrameSplitter', () => {
  const small = Buffer.from('release-manifests');
  it.each<[string, Buffer[], Buffer[]]>([
    ['nothing', [], []],
    ['an empty frame', [frame(Buffer.alloc(0))], [Buffer.alloc(0)]],
    ['one small frame', [frame(small)], [small]],
    ['a frame with a checksum', [frame(small, checksum)], [small]],
    ['a frame without content size', [frame(noise, noSize)], [noise]],
    ['RLE blocks', [frame(Buffer.alloc(400_000, 7))], [Buffer.alloc(400_000, 7)]],
    ['several blocks', [frame(noise, checksum)], [noise]],
    ['three frames', [frame(small), frame(noise, noSize), frame(small, checksum)], [small, noise, small]],
    ['skippable frames around one', [skippable(0), skippable(5), frame(small), skippable(70_000)], [small]],
  ])('splits %s', (_name, parts, contents) => {
    const data = Buffer.concat(parts);
    for (const step of [1, 2, 3, 7, 4096, data.length + 1])
      expect(split(data, step).map((each) => zstdDecompressSync(each))).toEqual(contents);
  });

  it.each<[string, Buffer, string]>([
    ['another magic', Buffer.from('1f8b0800', 'hex'), '0x88b1f'],
    ['a frame that is cut', frame(noise).subarray(0, 1000), 'ends inside'],
    ['a magic that is cut', Buffer.from([0x28]), 'ends inside'],
    ['a reserved block', Buffer.from('28b52ffd000006000000', 'hex'), 'reserved'],
    ['rubbish after a frame', Buffer.concat([frame(small), Buffer.from('rubbish')]), 'a frame starts with'],
  ])('refuses %s', (_name, data, message) => {
    expect(() => split(data, 4096)).toThrow(expect.objectContaining({ code: 'ZSTD_INVALID' }));
    expect(() => split(data, 4096)).toThrow(message);
  });
});
