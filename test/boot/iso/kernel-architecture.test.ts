import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { kernelArchitecture } from '../../../src/boot/iso/kernel-architecture.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';

function kernel(length: number, ...marks: [number, string | Buffer][]): Buffer {
  const bytes = Buffer.alloc(length);
  for (const [at, mark] of marks) Buffer.from(mark as string, 'latin1').copy(bytes, at);
  return bytes;
}

const pe = (machine: number): [number, string | Buffer][] => [
  [0, 'MZ'],
  [0x3c, Buffer.from([0x80, 0, 0, 0])],
  [0x80, 'PE\0\0'],
  [0x84, Buffer.from([machine & 0xff, machine >> 8])],
];

const arm64 = kernel(4096, [56, 'ARM\x64']);
const rows: [string, Buffer, string | undefined][] = [
  ['x86 by its boot header', kernel(4096, [0x202, 'HdrS'], ...pe(0x8664)), 'x86_64'],
  ['arm64 by its header', arm64, 'aarch64'],
  ['arm64 packed with gzip', gzipSync(Buffer.concat([arm64, madeUpBytes(100_000)])), 'aarch64'],
  ['arm64 packed for EFI', kernel(4096, ...pe(0xaa64)), 'aarch64'],
  ['x86 by EFI alone', kernel(4096, ...pe(0x8664)), 'x86_64'],
  ['ppc64le', kernel(64, [0, '\x7fELF\x02\x01'], [18, Buffer.from([21, 0])]), 'ppc64le'],
  ['s390x', kernel(0x10010, [0x10008, 'S390EP']), 's390x'],
  [
    'an ELF file of another machine',
    kernel(64, [0, '\x7fELF\x02\x01'], [18, Buffer.from([62, 0])]),
    undefined,
  ],
  ['EFI of another machine', kernel(4096, ...pe(0x1c2)), undefined],
  [
    'a PE header that lies outside',
    kernel(100, [0, 'MZ'], [0x3c, Buffer.from([0xff, 0xff, 0xff, 0xff])]),
    undefined,
  ],
  ['gzip that is none', kernel(100, [0, '\x1f\x8b']), undefined],
  ['text', Buffer.from('Not a vmlinuz.'), undefined],
  ['nothing', Buffer.alloc(0), undefined],
  ['two bytes', Buffer.from('MZ'), undefined],
];
test.each(rows)('%s', (_, bytes, want) => {
  expect(kernelArchitecture(bytes)).toBe(want);
});
