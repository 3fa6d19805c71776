import { expect, test } from 'vitest';
import { preloadImages } from '../../src/factory/preload-images.ts';
import type { ImageRole } from '../../src/mirror/resolve/lock.ts';
import { digestFor, lockedImage } from '../support/locked-image.ts';

function phasesOf(...roles: ImageRole[]): string[] {
  const images = [lockedImage('quay.io/a', { a: 1 }, { roles })];
  const lock = { arch: 'x86_64', inputs: { imageSet: 'a', wanted: 'b' }, images };
  return preloadImages(lock).map(({ phase }) => phase);
}

test.each<[string, ImageRole[], string]>([
  ['the release image, which its own scripts run', ['bootstrap', 'release'], 'both'],
  ['a component the bootstrap runs', ['bootstrap', 'release'], 'both'],
  ['a component the cluster runs: a live system has no RAM for all of them', ['release'], 'installed'],
  ['the operating system', ['os'], 'installed'],
  [
    'the operating system of 4.19 and later, which the live phase pulls by itself',
    ['bootstrap', 'os'],
    'installed',
  ],
  ['an operator', ['operator'], 'installed'],
  ['an image of the user', ['additional'], 'installed'],
])('%s', (_name, roles, phase) => {
  expect(phasesOf(...roles)).toEqual([phase]);
});

test('the image of the registry is loaded by nobody in this mode', () => {
  expect(phasesOf('tool')).toEqual([]);
});

test('a list and its child are both known by their digest; a signature is loaded by nobody', () => {
  const signature = lockedImage('quay.io/a', { s: 1 }, { digest: digestFor('signature') });
  const image = lockedImage(
    'quay.io/a',
    { a: 1 },
    { roles: ['bootstrap'], archDigest: digestFor('child'), signatures: [signature.digest] },
  );
  const lock = { arch: 'x86_64', inputs: { imageSet: 'a', wanted: 'b' }, images: [image, signature] };
  expect(preloadImages(lock).map(({ reference }) => reference)).toEqual([
    `quay.io/a@${image.digest}`,
    `quay.io/a@${image.archDigest}`,
  ]);
});
