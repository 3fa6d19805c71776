import { expect, test } from 'vitest';
import { livePhase } from '../../../src/mirror/plan/live-phase.ts';
import { lockedImage } from '../../support/locked-image.ts';

const GIB = 1024 ** 3;
const IMAGES = [
  lockedImage('quay.io/etcd', { base: 1000, etcd: 200 }, { roles: ['bootstrap', 'release'] }),
  lockedImage('quay.io/registry', { base: 1000, registry: 400 }, { roles: ['tool'] }),
  lockedImage('quay.io/operator', { base: 1000, operator: 9000 }, { roles: ['operator'] }),
  lockedImage('quay.io/os', { os: 5000 }, { roles: ['bootstrap', 'os'] }),
];

test('only what boots counts, layers once, the largest two once more while they are unpacked', () => {
  const { images, storeBytes, spoolBytes } = livePhase(IMAGES, '4.13.1');
  expect({ images, storeBytes, spoolBytes }).toEqual({
    images: 3,
    storeBytes: 1600 * 2.75,
    spoolBytes: 1400,
  });
});

test.each([
  ['4.13.1', 0],
  ['4.18.9', 0],
  ['4.19.0', 4 * GIB],
  ['4.20.0-0.okd-scos.2', 4 * GIB],
  ['4.21.3', 5 * GIB],
  ['5.0.0', 5 * GIB],
  [undefined, 0],
])('release %s checks its node image out into %i bytes', (version, bytes) => {
  const { nodeImageBytes, storeBytes, spoolBytes, neededBytes, ramBytes } = livePhase(IMAGES, version);
  expect(nodeImageBytes).toBe(bytes);
  expect(neededBytes).toBe(storeBytes + spoolBytes + bytes);
  expect(ramBytes).toBe(2 * neededBytes);
});

test('nothing to boot needs no RAM', () => {
  expect(livePhase(IMAGES.slice(2, 3), '4.21.3').neededBytes).toBe(0);
});
