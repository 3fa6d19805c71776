import { expect, test } from 'vitest';
import type { Factory } from '../../src/factory/factory.ts';
import { selectSites } from '../../src/factory/select-sites.ts';

const sites = ['north', 'south', 'west'].map((name) => ({ name })) as unknown as Factory['sites'];
const factory = { file: 'factory.yaml', sites };

test.each([
  ['all', [], ['north', 'south', 'west']],
  ['some, in the order of the factory', ['west', 'north'], ['north', 'west']],
  ['one twice', ['south', 'south'], ['south']],
])('%s', (_name, names, want) => {
  expect(selectSites(factory, names).map(({ name }) => name)).toEqual(want);
});

test.each([
  ['near', ['nort'], 'factory.yaml has no site "nort": it has north, south, west', ['Did you mean north?']],
  [
    'far',
    ['x', 'south', 'soth'],
    'factory.yaml has no site "x", "soth": it has north, south, west',
    ['Did you mean south?'],
  ],
  ['nothing like it', ['moon!'], 'factory.yaml has no site "moon!": it has north, south, west', []],
])('unknown, %s', (_name, names, message, suggestions) => {
  expect(() => selectSites(factory, names)).toThrow(
    expect.objectContaining({ code: 'SITE_UNKNOWN', exitCode: 2, message, suggestions }),
  );
});
