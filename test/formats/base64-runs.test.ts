import { expect, test } from 'vitest';
import { base64Runs } from '../../src/formats/base64-runs.ts';

const A24 = 'A'.repeat(24);

test.each([
  ['nothing', '', []],
  ['words', 'some words, none of them long', []],
  ['one that is too short', 'A'.repeat(23), []],
  ['one that just fits', A24, [[0, A24]]],
  ['one between other text', `a: ${A24}/+z\nb`, [[3, `${A24}/+z`]]],
  ['one with its padding', `${A24}Q==\n`, [[0, `${A24}Q==`]]],
  ['no more padding than two', `${A24}===`, [[0, `${A24}==`]]],
  [
    'two with one character between',
    `${A24},${A24}B`,
    [
      [0, A24],
      [25, `${A24}B`],
    ],
  ],
  ['one after other letters', `${'é'.repeat(30)}${A24}`, [[30, A24]]],
])('finds %s', (_name, text, want) => {
  expect(Array.from(base64Runs(text, 24), ({ start, run }) => [start, run])).toEqual(want);
});
