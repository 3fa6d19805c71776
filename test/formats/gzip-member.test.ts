import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { unpackGzipMember } from '../../src/formats/gzip-member.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const text = Buffer.from('hello '.repeat(100));
const member = gzipSync(text);
const MAX = 10_000;

/** The member with flags set and what they announce put behind the fixed header. */
function withFields(flags: number, fields: Uint8Array): Buffer {
  const header = Buffer.from(member.subarray(0, 10));
  header[3] = flags;
  return Buffer.concat([header, fields, member.subarray(10)]);
}

describe('members that must be unpacked', () => {
  const rows: [string, Buffer][] = [
    ['plain', member],
    ['with a name', withFields(0x08, Buffer.from('name\0'))],
    ['with a comment', withFields(0x10, Buffer.from('comment\0'))],
    ['with extra bytes', withFields(0x04, Buffer.from([3, 0, 1, 2, 3]))],
    [
      'with all of them and a checksum of the header',
      withFields(0x1e, Buffer.from('\x01\0xname\0comment\0cc', 'latin1')),
    ],
    ['of nothing', gzipSync('')],
  ];
  test.each(rows)('%s, whatever follows', (name, bytes) => {
    for (const tail of [Buffer.alloc(0), Buffer.alloc(100), Buffer.from('\xfd7zXZ', 'latin1'), member]) {
      const { bytes: got, usedBytes } = unpackGzipMember(Buffer.concat([bytes, tail]), MAX);
      expect(Buffer.from(got).equals(name === 'of nothing' ? Buffer.alloc(0) : text)).toBe(true);
      expect(usedBytes).toBe(bytes.length);
    }
  });
});

describe('members that must not be unpacked', () => {
  const patched = (at: number) => {
    const bytes = Buffer.from(member);
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    return bytes;
  };
  const rows: [string, Buffer, RegExp | string][] = [
    ['another method', patched(2), /unknown header/],
    ['reserved flags', withFields(0x80, Buffer.alloc(0)), /unknown header/],
    ['a name without end', withFields(0x08, Buffer.alloc(0)).subarray(0, 10), /cut short in its header/],
    [
      'extra bytes that are not there',
      withFields(0x04, Buffer.alloc(0)).subarray(0, 11),
      /cut short in its header/,
    ],
    ['cut short in the data', member.subarray(0, -20), /unexpected end of file/],
    ['cut short in the checksum', member.subarray(0, -3), /cut short before its checksum/],
    ['a wrong checksum', patched(member.length - 8), /wrong checksum/],
    ['a wrong size', patched(member.length - 4), /wrong size/],
    ['nothing behind the magic', member.subarray(0, 2), /unknown header/],
  ];
  test.each(rows)('%s', (_, bytes, message) => {
    expect(() => unpackGzipMember(bytes, MAX)).toThrow(message);
  });

  it('more than is wanted', () => {
    expect(() => unpackGzipMember(gzipSync(Buffer.alloc(MAX + 1)), MAX)).toThrow(/larger than/i);
  });
});

const hasGzip = haveTools('gzip');

it.skipIf(!hasGzip)(`unpacks what gzip packs${hasGzip ? '' : ' (SKIPPED: no gzip on PATH)'}`, () => {
  const path = join(tempFolder(), 'named.txt');
  writeFileSync(path, text);
  const { stdout } = spawnSync('gzip', ['-9c', path]);
  expect(Buffer.from(unpackGzipMember(stdout, MAX).bytes).equals(text)).toBe(true);
});
