import { describe, expect, test } from 'vitest';
import { parse, stringify } from 'yaml';
import { type BlockValue, blockYaml } from '../../src/formats/block-yaml.ts';

const library = (value: object): string => stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });

/** Numbers from 0 to 1, the same ones each time (Numerical Recipes' generator). */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

describe('block YAML is the text of the library', () => {
  test.each<[string, { readonly [key: string]: BlockValue }]>([
    ['an image', { source: 'quay.io/a/b', digest: 'sha256:aa', sizeBytes: 12, roles: ['os', 'release'] }],
    [
      'maps in a list',
      {
        blobs: [
          { digest: 'sha256:aa', sizeBytes: 1 },
          { digest: 'sha256:bb', sizeBytes: 2 },
        ],
      },
    ],
    ['a map in a map', { inputs: { imageSet: 'sha256:aa', wanted: 'x' }, arch: 'x86_64' }],
    ['empty lists and maps', { images: [], inputs: {} }],
    ['lists in a list', { a: [['b', 'c'], ['d']] }],
    [
      'words that YAML takes for something else',
      { a: ['true', 'Null', 'yes', 'on', '1', '0x1f', '1e3', '.5', '~'] },
    ],
    [
      'texts that need quotes',
      { a: ['', ' a', 'a ', 'a: b', 'a #b', '#a', '- a', '*a', '&a', '!a', '%a', '@a', '`a'] },
    ],
    ['texts with quotes in them', { a: ['"', "'", `'"`, 'a"b', "it's"] }],
    ['texts of several lines', { a: 'one\ntwo\n', b: ['x\ny'] }],
    ['letters beyond ASCII', { a: 'größe – 漢字 \u0085 \u{1f600}' }],
    ['a long text', { a: 'word '.repeat(400).trim() }],
  ])('%s', (_name, value) => {
    expect(blockYaml(value)).toBe(library(value));
    expect(parse(blockYaml(value))).toEqual(value);
  });

  test('of 20,000 random texts', () => {
    const random = seeded(7);
    const letters = 'abTrueFalsnulNy019:/@_.-+=(),[]{}#&*!|>\'"%` ~?é\n\t';
    for (let round = 0; round < 20_000; round += 1) {
      const length = 1 + Math.floor(random() * 12);
      const text = Array.from({ length }, () => letters[Math.floor(random() * letters.length)]).join('');
      const value = { key: text, list: [text, { inner: text }] };
      expect(blockYaml(value)).toBe(library(value));
    }
  });
});
