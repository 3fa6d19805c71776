import { expect, test } from 'vitest';
import { planPull, uniqueBlobs } from '../../../src/mirror/plan/plan.ts';
import { digestFor, lockedImage } from '../../support/locked-image.ts';

const IMAGES = [
  lockedImage('quay.io/a', { base: 1000, one: 10 }),
  lockedImage('quay.io/b', { base: 1000, two: 20 }),
  lockedImage('quay.io/c', { base: 1000, two: 20 }),
];

test.each([
  [
    'an empty cache',
    [],
    undefined,
    { uniqueBlobs: 3, uniqueBytes: 1030, duplicateBytes: 2020, heldBytes: 0, fetchBytes: 1030 },
  ],
  ['the base is held', ['base'], undefined, { heldBytes: 1000, fetchBytes: 30 }],
  ['everything is held', ['base', 'one', 'two'], 10, { fetchBytes: 0, seconds: 0 }],
  ['blobs of others are held', ['stranger'], 103, { heldBytes: 0, seconds: 10 }],
])('plan with %s', (_, held, rate, expected) => {
  expect(planPull(IMAGES, new Set(held.map(digestFor)), rate)).toMatchObject(expected);
});

test('each blob comes once, the largest first, with every image it can be fetched from', () => {
  const blobs = uniqueBlobs(IMAGES);
  expect(blobs.map(({ digest }) => digest)).toEqual([digestFor('base'), digestFor('two'), digestFor('one')]);
  expect(blobs.map(({ images }) => images.length)).toEqual([3, 2, 1]);
});

test('nothing wanted is nothing to do', () => {
  expect(planPull([], new Set())).toMatchObject({ images: 0, uniqueBlobs: 0, fetchBytes: 0, spaceBytes: 0 });
});
