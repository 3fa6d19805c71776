import { expect, test } from 'vitest';
import { parseCsv } from '../../src/formats/csv.ts';

test.each<[string, string, string[][]]>([
  ['nothing', '', []],
  [
    'LF, no last line end',
    'a,b\n1,2',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'CRLF',
    'a,b\r\n1,2\r\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'empty cells',
    'a,,c\n,,\n',
    [
      ['a', '', 'c'],
      ['', '', ''],
    ],
  ],
  ['a comma in quotes', '"a,b",c\n', [['a,b', 'c']]],
  ['a quote in quotes', '"say ""hi""",c\n', [['say "hi"', 'c']]],
  ['a line end in quotes', '"a\r\nb",c\n', [['a\r\nb', 'c']]],
  ['an empty quoted cell', '"",x\n', [['', 'x']]],
  ['blank lines left out', '\n  \na\n\n', [['a']]],
  ['a byte order mark', '\uFEFFa,b\n', [['a', 'b']]],
])('reads %s', (_name, text, want) => {
  const { records, faults } = parseCsv(text);
  expect(faults).toEqual([]);
  expect(records.map(({ cells }) => cells)).toEqual(want);
});

test('counts lines over quoted line ends', () => {
  const { records } = parseCsv('h\n"a\nb\nc"\nd\n');
  expect(records.map(({ line }) => line)).toEqual([1, 2, 5]);
});

test.each([
  [
    'a quote in the middle',
    'a\nb"c\nd\n',
    [{ line: 2, message: 'a quote inside a field that does not begin with one' }],
  ],
  ['text after the quote', 'a\n"b"c\nd\n', [{ line: 2, message: 'text after the closing quote of a field' }]],
  ['no closing quote', 'a\n"b\nc\n', [{ line: 2, message: 'a quoted field that never ends' }]],
])('says where %s is', (_name, text, want) => {
  expect(parseCsv(text).faults).toEqual(want);
});
