import { expect, test } from 'vitest';
import { formatLock, type Lock, lockId, parseLock } from '../../../src/mirror/resolve/lock.ts';
import { digestFor, lockedImage } from '../../support/locked-image.ts';

const LOCK: Lock = {
  arch: 'x86_64',
  inputs: { imageSet: digestFor('set'), wanted: digestFor('wanted') },
  release: { image: 'quay.io/org/release:1', digest: digestFor('quay.io/org/release') },
  images: [
    lockedImage('quay.io/org/z', { layer: 10 }),
    lockedImage(
      'quay.io/org/a',
      { layer: 10, own: 5 },
      { tag: 'v1', roles: ['operator', 'bootstrap'], requiredBy: ['b', 'a'] },
    ),
  ],
};

test('a lock is written as its contract says, sorted, and read back', () => {
  const text = formatLock(LOCK);
  expect(text).toBe(`apiVersion: edgefab.io/v1
kind: Lock
arch: x86_64
inputs:
  imageSet: ${digestFor('set')}
  wanted: ${digestFor('wanted')}
release:
  image: quay.io/org/release:1
  digest: ${digestFor('quay.io/org/release')}
images:
  - source: quay.io/org/a
    tag: v1
    digest: ${digestFor('quay.io/org/a')}
    archDigest: ${digestFor('quay.io/org/a')}
    mediaType: application/vnd.oci.image.manifest.v1+json
    sizeBytes: 15
    blobs:
      - digest: ${digestFor('layer')}
        sizeBytes: 10
      - digest: ${digestFor('own')}
        sizeBytes: 5
    roles:
      - bootstrap
      - operator
    requiredBy:
      - a
      - b
  - source: quay.io/org/z
    digest: ${digestFor('quay.io/org/z')}
    archDigest: ${digestFor('quay.io/org/z')}
    mediaType: application/vnd.oci.image.manifest.v1+json
    sizeBytes: 10
    blobs:
      - digest: ${digestFor('layer')}
        sizeBytes: 10
    roles:
      - additional
    requiredBy:
      - a test
`);
  expect(formatLock(parseLock(text, 'edgefab.lock'))).toBe(text);
});

test('the order images are found in does not change the id of a lock', () => {
  expect(lockId({ ...LOCK, images: [...LOCK.images].reverse() })).toBe(lockId(LOCK));
});

test.each([
  [
    'a digest that is none',
    (text: string) => text.replace(digestFor('own'), 'sha256:beef'),
    /edgefab\.lock:\d+:\d+.*digest/,
  ],
  ['an unknown key', (text: string) => text.replace('arch: x86_64', 'arch: x86_64\nextra: 1'), /extra/],
  ['a negative size', (text: string) => text.replace('sizeBytes: 15', 'sizeBytes: -15'), /sizeBytes/],
  ['an unknown role', (text: string) => text.replace('- operator', '- operators'), /operators/],
  ['no images', (text: string) => text.slice(0, text.indexOf('images:')), /images/],
  ['another kind', (text: string) => text.replace('kind: Lock', 'kind: Factory'), /kind/],
])('%s is refused with its place', (_, damage, message) => {
  const damaged = damage(formatLock(LOCK));
  expect(damaged).not.toBe(formatLock(LOCK));
  expect(() => parseLock(damaged, 'edgefab.lock')).toThrow(
    expect.objectContaining({ code: 'LOCK_INVALID', message: expect.stringMatching(message) }),
  );
});

test('a lock without images is written and read back', () => {
  const ignored = [{ reference: 'quay.io/org/b:v1', reason: 'blockedImages' }];
  const empty = { ...LOCK, images: [], ignored };
  expect(formatLock(empty)).toMatch(/\nimages: \[\]\nignored:\n {2}- reference: /);
  expect(parseLock(formatLock(empty), 'edgefab.lock')).toEqual(empty);
});

test('texts that YAML would read as something else are quoted, and read back', () => {
  const requiredBy = ['- x', 'a: b', 'a # b', 'null', 'two\nlines', '---', ' x ', '%y'].sort();
  const lock = { ...LOCK, images: [lockedImage('quay.io/org/a', { layer: 10 }, { requiredBy })] };
  expect(parseLock(formatLock(lock), 'edgefab.lock')).toEqual(lock);
});
