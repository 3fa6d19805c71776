import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { decodeTarHeader, encodeTarHeader, tarFileBytes } from '../../src/formats/ustar.ts';

const FILES = [
  { name: 'index.json', sizeBytes: 0 },
  { name: `blobs/sha256/${'a'.repeat(64)}.${'0'.repeat(15)}`, sizeBytes: 8 ** 11 - 1 },
  { name: 'a'.repeat(100), sizeBytes: 8 ** 11 },
  { name: 'large', sizeBytes: 2 ** 45 + 7 },
];

test.each(FILES)('a header of $sizeBytes bytes is read back, and by tar too', (file) => {
  const header = encodeTarHeader(file);
  expect(decodeTarHeader(header, 'a test')).toEqual(file);
  const listed = spawnSync('tar', ['-tvf', '-'], { input: header, encoding: 'utf8' });
  expect(listed.stdout).toMatch(
    new RegExp(`^-rw-r--r-- 0/0 +${file.sizeBytes} 1970-01-01 .* ${file.name}\n`),
  );
});

test.each(['', 'a'.repeat(101), 'a b', 'ä', 'a\0b'])('the name %j is not written', (name) => {
  expect(() => encodeTarHeader({ name, sizeBytes: 1 })).toThrow(RangeError);
});

test.each<[string, (header: Buffer) => void]>([
  ['zeros', (header) => header.fill(0)],
  ['a wrong checksum', (header) => header.write('7', 150)],
  ['an owner', (header) => header.write('0000001', 108)],
  ['a time', (header) => header.write('00000000001', 136)],
  ['a prefix', (header) => header.write('..', 345)],
  ['a size that is no number', (header) => header.write('x', 124)],
  ['a negative binary size', (header) => header.fill(0xff, 124, 136)],
])('a header with %s is refused', (_, change) => {
  const header = Buffer.from(encodeTarHeader({ name: 'a', sizeBytes: 1 }));
  change(header);
  expect(() => decodeTarHeader(header, 'a test')).toThrow(expect.objectContaining({ code: 'TAR_INVALID' }));
});

test('a file takes its header and whole blocks', () => {
  expect([0, 1, 512, 513].map(tarFileBytes)).toEqual([512, 1024, 1024, 1536]);
});
