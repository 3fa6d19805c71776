import { expect, test } from 'vitest';
import { parseChecksumList } from '../../src/formats/checksum-list.ts';

const A = 'a'.repeat(64);
const B = 'b'.repeat(64);

test.each<[string, string, [string, string][]]>([
  [
    'text mode',
    `${A}  one\n${B}  two.tar.gz\n`,
    [
      ['one', A],
      ['two.tar.gz', B],
    ],
  ],
  ['binary mode and CRLF', `${A} *one\r\n`, [['one', A]]],
  ['upper case, no end of line', `${A.toUpperCase()}  one`, [['one', A]]],
  ['a name twice with the same sum', `${A}  one\n${A}  one\n`, [['one', A]]],
  ['names that objects have', `${A}  __proto__\n`, [['__proto__', A]]],
  ['nothing', '\n', []],
])('parseChecksumList reads %s', (_name, text, want) => {
  expect([...parseChecksumList(text, 'sums')]).toEqual(want);
});

test.each<[string, string, RegExp]>([
  ['a page', '<html>', /sums: line 1 is no checksum/],
  ['a short sum', `${A}  one\n${A.slice(1)}  two\n`, /line 2 is no checksum/],
  ['no name', `${A}  \n`, /line 1 is no checksum/],
  ['two sums for a name', `${A}  one\n${B}  one\n`, /line 2 gives another sum/],
])('parseChecksumList refuses %s', (_name, text, message) => {
  expect(() => parseChecksumList(text, 'sums')).toThrow(
    expect.objectContaining({ code: 'CHECKSUMS_INVALID', message: expect.stringMatching(message) }),
  );
});
