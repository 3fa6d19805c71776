import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { type CpioMember, decodeCpio, encodeCpio } from '../../src/formats/cpio.ts';
import { tempFolder } from '../support/temp-folder.ts';

const text = (value: string) => Buffer.from(value);
const file = (name: string, content: string): CpioMember => ({ name, mode: 0o100_600, bytes: text(content) });
const plain = (members: readonly CpioMember[]) =>
  members.map(({ name, mode, bytes }) => ({ name, mode, text: Buffer.from(bytes).toString() }));

describe('archives that must come back as they went in', () => {
  const rows: [string, CpioMember[]][] = [
    ['no member', []],
    ['an empty file', [file('empty', '')]],
    ['every data padding', ['', 'a', 'ab', 'abc', 'abcd', 'abcde'].map((body) => file(`f${body}`, body))],
    ['every name padding', ['n', 'na', 'nam', 'name', 'names'].map((name) => file(name, 'x'))],
    [
      'a folder and a file in it',
      [{ name: 'etc', mode: 0o040_755, bytes: text('') }, file('etc/hosts', 'x\n')],
    ],
    ['a name that is not ASCII', [file('grüße.txt', 'hallo')]],
    ['one name twice', [file('a', '1'), file('a', '2')]],
    ['data that looks like a header', [file('a', '070701'), file('b', 'TRAILER!!!')]],
    ['a name of 4095 bytes', [file('n'.repeat(4095), 'x')]],
  ];
  test.each(rows)('%s', (_, members) => {
    const archive = encodeCpio(members);
    expect(archive.length % 4).toBe(0);
    expect(plain(decodeCpio(archive))).toEqual(plain(members));
    expect(encodeCpio(members)).toEqual(archive);
  });
});

it('writes the newc layout byte for byte', () => {
  const header = (ino: string, mode: string, nlink: string, size: string, nameSize: string) =>
    `070701${ino}${mode}${'0'.repeat(16)}${nlink}${'0'.repeat(8)}${size}${'0'.repeat(32)}${nameSize}${'0'.repeat(8)}`;
  const want =
    `${header('00000001', '00008180', '00000001', '00000003', '0000000B')}config.ign\0\0\0\0{}\n\0` +
    `${header('00000000', '00000000', '00000001', '00000000', '0000000B')}TRAILER!!!\0\0\0\0`;
  expect(Buffer.from(encodeCpio([file('config.ign', '{}\n')])).toString('latin1')).toBe(want);
});

describe('members that must not be encoded', () => {
  const rows: [string, CpioMember][] = [
    ['no name', file('', 'x')],
    ['the reserved name', file('TRAILER!!!', 'x')],
    ['a NUL in the name', file('a\0b', 'x')],
    ['a name that is too long', file('n'.repeat(4096), 'x')],
    ['a mode of more than 32 bits', { ...file('a', 'x'), mode: 2 ** 32 }],
  ];
  test.each(rows)('%s', (_, member) => {
    expect(() => encodeCpio([member])).toThrow(expect.objectContaining({ code: 'CPIO_INVALID' }));
  });
});

describe('archives that must be decoded', () => {
  const one = Buffer.from(encodeCpio([file('one', '1')]));
  const two = Buffer.from(encodeCpio([file('two', '2')]));
  const rows: [string, Buffer, string[]][] = [
    ['nothing', Buffer.alloc(0), []],
    ['zeros', Buffer.alloc(1000), []],
    ['zeros around', Buffer.concat([Buffer.alloc(4), one, Buffer.alloc(512)]), ['one']],
    ['two archives', Buffer.concat([one, two]), ['one', 'two']],
    [
      'two archives, zeros between',
      Buffer.concat([one, Buffer.alloc(508), two, Buffer.alloc(3)]),
      ['one', 'two'],
    ],
    [
      'the magic with checksum',
      Buffer.from(one.toString('latin1').replaceAll('070701', '070702'), 'latin1'),
      ['one'],
    ],
    [
      'lower-case hex',
      Buffer.from(one.toString('latin1').replace('0000000B', '0000000b'), 'latin1'),
      ['one'],
    ],
    [
      'a name with more than one NUL, as dracut-cpio aligns data',
      Buffer.from(one.toString('latin1').replace('one\0', 'on\0\0'), 'latin1'),
      ['on'],
    ],
    ['a trailer without its padding', one.subarray(0, -3), ['one']],
  ];
  test.each(rows)('%s', (_, archive, names) => {
    expect(decodeCpio(archive).map(({ name }) => name)).toEqual(names);
  });
});

describe('archives that must not be decoded', () => {
  const good = Buffer.from(encodeCpio([file('config.ign', '{}')]));
  const patched = (at: number, value: string) => {
    const bytes = Buffer.from(good);
    bytes.write(value, at, 'latin1');
    return bytes;
  };
  const FILESIZE = 6 + 6 * 8;
  const NAMESIZE = 6 + 11 * 8;
  const rows: [string, Buffer, RegExp][] = [
    ['text', text('this is no archive'.repeat(10)), /offset 0: magic is "this i"/],
    ['old binary magic', patched(0, '070707'), /magic is "070707", want "070701"/],
    ['a header cut short', good.subarray(0, 50), /50 bytes left, want a header of 110/],
    ['a name cut short', good.subarray(0, 112), /name has 11 bytes/],
    ['data cut short', good.subarray(0, 125), /has 2 bytes, want at most 1/],
    ['no trailer', good.subarray(0, 128), /offset 128: the archive ends without TRAILER!!!/],
    ['something after the trailer', Buffer.concat([good, text('x'.repeat(200))]), /magic is "xxxxxx"/],
    ['a size that is not hex', patched(FILESIZE, '0000000G'), /field filesize is "0000000G"/],
    ['a signed size', patched(FILESIZE, '-0000001'), /field filesize/],
    ['a size of 4 GiB', patched(FILESIZE, 'FFFFFFFF'), /has 4294967295 bytes, want at most/],
    ['a name of 4 GiB', patched(NAMESIZE, 'FFFFFFFF'), /name has 4294967295 bytes/],
    ['a name of no bytes', patched(NAMESIZE, '00000000'), /name has 0 bytes/],
    ['a name without NUL', patched(110, 'config.ignX'), /does not end with NUL/],
    ['a NUL inside the name', patched(110, 'con\0ig.ign'), /goes on behind it/],
    ['a name of NULs', patched(110, '\0'.repeat(10)), /does not end with NUL/],
    ['a name that is not UTF-8', patched(110, '\xff'), /name is not UTF-8/],
  ];
  test.each(rows)('%s', (_, archive, message) => {
    expect(() => decodeCpio(archive)).toThrow(expect.objectContaining({ code: 'CPIO_INVALID' }));
    expect(() => decodeCpio(archive)).toThrow(message);
  });

  it('survives every single flipped byte', () => {
    for (let at = 0; at < good.length; at += 1) {
      const bytes = Buffer.from(good);
      bytes[at] = (bytes[at] ?? 0) ^ 0xff;
      try {
        decodeCpio(bytes);
      } catch (error) {
        expect(error).toMatchObject({ code: 'CPIO_INVALID' });
      }
    }
  });
});

const hasCpio = spawnSync('cpio', ['--version']).status === 0;

describe.skipIf(!hasCpio)(`GNU cpio${hasCpio ? '' : ' (SKIPPED: no cpio on PATH)'}`, () => {
  const members = [
    { name: 'etc', mode: 0o040_755, bytes: text('') },
    file('etc/keyfile', 'id=eth0\n'),
    file('config.ign', '{"ignition":{"version":"3.2.0"}}'),
  ];

  it('unpacks what we encode', () => {
    const folder = tempFolder();
    const { status, stderr } = spawnSync('cpio', ['-i', '-d', '--no-preserve-owner', '-H', 'newc'], {
      cwd: folder,
      input: encodeCpio(members),
    });
    expect(stderr.toString()).not.toMatch(/error|junk|premature/i);
    expect(status).toBe(0);
    expect(readFileSync(join(folder, 'etc/keyfile'), 'utf8')).toBe('id=eth0\n');
    expect(readFileSync(join(folder, 'config.ign'), 'utf8')).toBe('{"ignition":{"version":"3.2.0"}}');
  });

  it('packs what we decode', () => {
    const folder = tempFolder();
    spawnSync('cpio', ['-i', '-d', '-H', 'newc'], { cwd: folder, input: encodeCpio(members) });
    const { stdout } = spawnSync('cpio', ['-o', '-H', 'newc'], {
      cwd: folder,
      input: 'etc\netc/keyfile\nconfig.ign\n',
    });
    expect(plain(decodeCpio(stdout))).toEqual(plain(members));
  });
});
