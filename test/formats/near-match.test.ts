import { expect, test } from 'vitest';
import { nearMatch } from '../../src/formats/near-match.ts';

const KEYS = ['network', 'installDisk', 'certificates', 'imageSet', 'dns'];

test.each([
  ['a slip', 'nework', 'network'],
  ['letter case', 'imageset', 'imageSet'],
  ['a beginning', 'cert', 'certificates'],
  ['another word order of letters', 'netwrok', 'network'],
  ['two letters swapped in a short one', 'dsn', 'dns'],
  ['nothing near', 'flavour', undefined],
  ['nothing at all', '', undefined],
  ['too long to be a slip', 'n'.repeat(100_000), undefined],
])('%s: %s', (_name, word, want) => {
  expect(nearMatch(word, KEYS)).toBe(want);
});
