import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type TarEntry, TarLayerReader } from '../../src/formats/tar-layer.ts';

interface Seen extends TarEntry {
  text: string;
}

function read(tar: Uint8Array, chunkBytes = 1000): Seen[] {
  const seen: Seen[] = [];
  const reader = new TarLayerReader('registry.example/a:1', (entry) => {
    const item = { ...entry, text: '' };
    seen.push(item);
    return {
      write: (chunk) => {
        item.text += Buffer.from(chunk).toString();
      },
      end: () => {
        item.text += '$';
      },
    };
  });
  for (let at = 0; at < tar.length; at += chunkBytes) reader.push(tar.subarray(at, at + chunkBytes));
  reader.finish();
  return seen;
}

/** One header block with the fields given, and its checksum. */
function header(fields: { name?: string; size?: string | Buffer; type?: string; magic?: string }): Buffer {
  const block = Buffer.alloc(512);
  block.write(fields.name ?? 'a', 0);
  block.write('0000644\0', 100);
  if (Buffer.isBuffer(fields.size)) fields.size.copy(block, 124);
  else block.write(fields.size ?? '00000000000\0', 124);
  block.write('        ', 148);
  block.write(fields.type ?? '0', 156);
  block.write(fields.magic ?? 'ustar\x0000', 257);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return block;
}

function padded(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), Buffer.alloc((512 - (text.length % 512)) % 512)]);
}

describe('TarLayerReader on archives of GNU tar', () => {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-tar-'));
  const deep = join('d'.repeat(90), 'e'.repeat(90), 'f'.repeat(90));
  mkdirSync(join(folder, deep), { recursive: true });
  writeFileSync(join(folder, deep, 'long'), 'long name');
  writeFileSync(join(folder, 'empty'), '');
  writeFileSync(join(folder, 'ümlaut'), 'x'.repeat(1024));
  symlinkSync('empty', join(folder, 'link'));
  writeFileSync(join(folder, 'sparse'), '');
  truncateSync(join(folder, 'sparse'), 1024 * 1024);

  it.each([
    ['gnu', 1000],
    ['posix', 1000],
    ['posix', 1],
    ['gnu', 513],
  ])('reads the %s format in chunks of %i', (format, chunkBytes) => {
    const tar = execFileSync('tar', [
      '-C',
      folder,
      `--format=${format}`,
      '-S',
      '--sort=name',
      '-cf',
      '-',
      '.',
    ]);
    const seen = read(tar, chunkBytes);
    const byPath = new Map(seen.map((item) => [item.path, item]));
    expect(byPath.get(`./${deep}/long`)).toMatchObject({ kind: 'file', sizeBytes: 9, text: 'long name$' });
    expect(byPath.get('./empty')).toMatchObject({ kind: 'file', sizeBytes: 0, text: '$' });
    expect(byPath.get('./ümlaut')?.text).toBe(`${'x'.repeat(1024)}$`);
    expect(byPath.get('./link')).toMatchObject({ kind: 'link', target: 'empty' });
    expect(byPath.get('./')).toMatchObject({ kind: 'folder' });
    expect(byPath.get('./sparse')).toMatchObject({ kind: 'sparse' });
  });
});

describe('TarLayerReader on made-up archives', () => {
  it('reads a binary size, and no bytes after a link', () => {
    const size = Buffer.alloc(12);
    size[0] = 0x80;
    size[11] = 3;
    const link = header({ name: 'l', type: '2', size: '00000000777\0' });
    const seen = read(
      Buffer.concat([header({ size }), padded('abc'), link, header({ name: 'old/', magic: '' })]),
    );
    expect(seen.map(({ path, kind, text }) => [path, kind, text])).toEqual([
      ['a', 'file', 'abc$'],
      ['l', 'link', '$'],
      ['old/', 'folder', '$'],
    ]);
  });

  it('reads nothing after the end of the archive', () => {
    expect(read(Buffer.concat([Buffer.alloc(1024), header({})]))).toEqual([]);
  });

  it.each([
    ['no tar', Buffer.alloc(512, 'x'), 'checksum'],
    ['half a header', header({}).subarray(0, 100), 'middle of an entry'],
    ['half a file', Buffer.concat([header({ size: '00000002000\0' }), padded('abc')]), 'middle of an entry'],
    ['a size that is no number', header({ size: '9x000000000\0' }), 'not an octal number'],
    ['a negative binary size', header({ size: Buffer.alloc(12, 0xff) }), '256 TiB'],
    [
      'a huge extended header',
      header({ type: 'x', size: '77777777777\0' }),
      'extended header of 8589934591 bytes',
    ],
    [
      'a broken extended header',
      Buffer.concat([header({ type: 'x', size: '00000000005\0' }), padded('hello')]),
      'LENGTH KEY=VALUE',
    ],
    ['a huge long name', header({ type: 'L', size: '77777777777\0' }), 'extended header'],
    [
      'a size in the extended header that is no number',
      Buffer.concat([header({ type: 'x', size: '00000000013\0' }), padded('11 size=-1\n'), header({})]),
      'size "-1"',
    ],
  ])('refuses %s', (_, tar, what) => {
    expect(() => read(tar)).toThrow(
      expect.objectContaining({ code: 'TAR_INVALID', message: expect.stringContaining(what) }),
    );
  });
});
