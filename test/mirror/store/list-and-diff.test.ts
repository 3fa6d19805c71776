import { expect, test } from 'vitest';
import { diffImages } from '../../../src/mirror/store/diff-images.ts';
import { listImages } from '../../../src/mirror/store/list-images.ts';
import { lockedImage } from '../../support/locked-image.ts';

const one = lockedImage('quay.io/org/one', { base: 100, one: 7 }, { tag: 'v1', roles: ['release', 'os'] });
const two = lockedImage('quay.io/org/two', { base: 100, two: 5 });
const three = lockedImage('quay.io/org/three', { base: 100, 'one-more': 50 });

test('each image with what it takes, and what it alone takes', () => {
  expect(listImages([two, one])).toMatchObject([
    { name: 'quay.io/org/one:v1', sizeBytes: 107, uniqueBytes: 7, roles: ['release', 'os'] },
    { name: `quay.io/org/two@${two.digest}`, sizeBytes: 105, uniqueBytes: 5 },
  ]);
});

test('a blob an image has twice is still its own', () => {
  const [blob] = lockedImage('quay.io/org/x', { x: 9 }).blobs;
  const twice = { ...two, blobs: blob === undefined ? [] : [blob, blob] };
  expect(listImages([twice, one])[1]).toMatchObject({ uniqueBytes: 9 });
});

test('what leads from one set of images to another, in images and in bytes', () => {
  expect(diffImages([one, two], [two, three])).toMatchObject({
    added: [{ source: 'quay.io/org/three', uniqueBytes: 50 }],
    removed: [{ source: 'quay.io/org/one', uniqueBytes: 7 }],
    kept: 1,
    addedBlobs: 1,
    addedBytes: 50,
    removedBlobs: 1,
    removedBytes: 7,
    sharedBytes: 105,
  });
});

test('a set has no difference to itself', () => {
  expect(diffImages([one, two], [two, one])).toMatchObject({
    added: [],
    removed: [],
    kept: 2,
    addedBytes: 0,
    removedBytes: 0,
  });
});
