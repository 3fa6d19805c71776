import { expect, test } from 'vitest';
import { pinOperator } from '../../../../src/mirror/resolve/catalog/pin-operator.ts';
import { catalogOf } from './made-up-catalog.ts';

const catalog = catalogOf({
  lamp: {
    defaultChannel: 'stable',
    channels: {
      fast: [{ name: 'lamp.v2.0.0' }],
      stable: [{ name: 'lamp.v1.1.0', replaces: 'lamp.v1.0.0' }, 'lamp.v1.0.0'],
    },
  },
  store: { channels: { 'stable-4.18': ['store.v4.18.0-202501'] } },
});

test.each([
  [{ name: 'lamp' }, { channel: 'stable', version: '1.1.0' }],
  [
    { name: 'lamp', channel: 'fast' },
    { channel: 'fast', version: '2.0.0' },
  ],
  [
    { name: 'lamp', channel: 'stable', version: '1.0.0' },
    { channel: 'stable', version: '1.0.0' },
  ],
  [{ name: 'store' }, { channel: 'stable-4.18', version: '4.18.0-202501' }],
])('%j stands for %j', (wish, pinned) => {
  expect(pinOperator(catalog, wish)).toEqual(pinned);
});

test.each([
  [{ name: 'lmap' }, /no package "lmap"; there are: lamp, store/, ['Did you mean "lamp"?']],
  [{ name: 'lamp', channel: 'stabel' }, /channel "stabel".*fast, stable/, ['Did you mean "stable"?']],
  [
    { name: 'lamp', channel: 'stable', version: '2.0.0' },
    /no version "2\.0\.0" in channel "stable".*there are: 1\.0\.0, 1\.1\.0/,
    expect.anything(),
  ],
])('%j is not there', (wish, message, suggestions) => {
  expect(() => pinOperator(catalog, wish)).toThrow(
    expect.objectContaining({
      code: 'CATALOG_CONTENT_UNKNOWN',
      message: expect.stringMatching(message),
      suggestions,
    }),
  );
});
