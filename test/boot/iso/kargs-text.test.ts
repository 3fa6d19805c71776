import { describe, expect, it, test } from 'vitest';
import type { KargsArea } from '../../../src/boot/iso/iso-image.ts';
import {
  checkKernelLine,
  decodeKargsArea,
  editKargs,
  encodeKargsArea,
  type KargsEdit,
} from '../../../src/boot/iso/kargs-text.ts';

describe('edits', () => {
  const rows: [string, string, KargsEdit, string][] = [
    ['nothing', 'foo bar', {}, 'foo bar'],
    ['append', 'foo', { append: ['bar', ' baz=1 '] }, 'foo bar baz=1'],
    ['append to nothing', '', { append: ['bar'] }, 'bar'],
    ['append what is there', 'foo', { append: ['foo'] }, 'foo foo'],
    ['delete the first', 'foo bar foobar', { delete: ['foo'] }, 'bar foobar'],
    ['delete the middle', 'foo bar foobar', { delete: ['bar'] }, 'foo foobar'],
    ['delete the last', 'foo bar foobar', { delete: ['foobar'] }, 'foo bar'],
    ['delete with value', 'foo=1 foo=2', { delete: ['foo=1'] }, 'foo=2'],
    ['delete no part of an argument', 'foo=1 xfoo', { delete: ['foo'] }, 'foo=1 xfoo'],
    ['delete neighbours', 'foo foo foo bar', { delete: ['foo'] }, 'bar'],
    ['delete two in a row', 'foo bar baz', { delete: ['foo bar'] }, 'baz'],
    ['delete all', 'foo', { delete: ['foo'] }, ''],
    [
      'replace',
      'mitigations=auto,nosmt x',
      { replace: ['mitigations=auto,nosmt=auto'] },
      'mitigations=auto x',
    ],
    ['replace neighbours', 'a=1 a=1 b', { replace: ['a=1=2'] }, 'a=2 a=2 b'],
    ['replace by itself', 'a=1 b', { replace: ['a=1=1'] }, 'a=1 b'],
    ['replace what is not there', 'a=1', { replace: ['a=2=3'] }, 'a=1'],
    ['delete before append', 'foo', { append: ['foo'], delete: ['foo'] }, 'foo'],
    ['spaces within', 'a', { append: ['dyndbg="file x +p"'] }, 'a dyndbg="file x +p"'],
  ];
  test.each(rows)('%s', (_, current, edit, want) => {
    expect(editKargs(current, edit)).toBe(want);
  });
});

describe('edits that are refused', () => {
  const rows: [string, KargsEdit][] = [
    ['a line end', { append: ['foo\nmenuentry x'] }],
    ['a NUL', { append: ['foo\0'] }],
    ['an escape', { append: ['foo\x1b'] }],
    ['nothing', { append: [' '] }],
    ['a replacement without new value', { replace: ['a=1'] }],
  ];
  test.each(rows)('%s', (_, edit) => {
    expect(() => editKargs('foo', edit)).toThrow(expect.objectContaining({ code: 'USAGE_INVALID' }));
  });
});

describe('areas', () => {
  const area = (end: string, pad: string): KargsArea => ({ file: 'x', offset: 0, end, pad });
  const rows: [string, string, KargsArea, string][] = [
    ['usual', 'foo=1', area('\n', '#'), 'foo=1\n######'],
    ['s390x', 'foo=1', area('\0', '\0'), 'foo=1\0\0\0\0\0\0\0'],
    ['empty', '', area('\n', '#'), '\n###########'],
    ['full to the last byte', 'elevenbytes', area('\n', '#'), 'elevenbytes\n'],
    ['an argument that ends like the padding', 'a=#', area('\n', '#'), 'a=#\n########'],
  ];
  test.each(rows)('%s', (_, kargs, place, want) => {
    const bytes = encodeKargsArea(kargs, place, 12);
    expect(Buffer.from(bytes).toString('latin1')).toBe(want);
    expect(decodeKargsArea(bytes, place)).toBe(kargs);
  });

  it('reads an area without its end mark, as an image may have it', () => {
    expect(decodeKargsArea(Buffer.from('foo=1 bar ####'), area('\n', '#'))).toBe('foo=1 bar');
  });

  it('counts bytes, not characters', () => {
    expect(() => encodeKargsArea('elevenbytes!', area('\n', '#'), 12)).toThrow(
      /have 13 bytes.*at most 12.*1 too many/,
    );
    expect(() => encodeKargsArea('äöüäöü', area('\n', '#'), 12)).toThrow(
      expect.objectContaining({ code: 'KARGS_AREA_FULL' }),
    );
  });

  it('refuses bytes that are no text', () => {
    expect(() => decodeKargsArea(Buffer.from([0xff]), area('\n', '#'))).toThrow(
      expect.objectContaining({ code: 'ISO_INVALID' }),
    );
  });
});

describe('the line a kernel reads', () => {
  it.each([
    ['the longest', 1919, true],
    ['one byte more', 1920, false],
  ])('%s', (_, bytes, fits) => {
    const check = () => checkKernelLine('k'.repeat(bytes));
    if (fits) expect(check).not.toThrow();
    else
      expect(check).toThrow(
        expect.objectContaining({
          code: 'KARGS_AREA_FULL',
          message:
            'kernel arguments have 1920 bytes, want at most 1919: a kernel reads 2048, and the boot loader adds its own',
        }),
      );
  });
});
