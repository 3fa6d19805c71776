import { describe, expect, test } from 'vitest';
import { livePhase } from '../../../src/mirror/plan/live-phase.ts';
import { lockedImage } from '../../support/locked-image.ts';

const GIB = 1024 ** 3;
const IMAGES = [
  lockedImage('quay.io/etcd', { base: 1000, etcd: 200 }, { roles: ['bootstrap', 'release'] }),
  lockedImage('quay.io/hyperkube', { base: 1000, hyperkube: 300 }, { roles: ['bootstrap', 'release'] }),
  lockedImage('quay.io/registry', { base: 1000, registry: 100 }, { roles: ['tool'] }),
  lockedImage('quay.io/console', { base: 1000, console: 9000 }, { roles: ['release'] }),
  lockedImage('quay.io/operator', { base: 1000, operator: 9000 }, { roles: ['operator'] }),
  lockedImage('quay.io/os', { os: 5000 }, { roles: ['bootstrap', 'os'] }),
];

describe('only what boots counts, layers of one store once, and what is being unpacked once more', () => {
  test('mode registry: the registry has a store of its own, and one image is pulled at a time', () => {
    expect(livePhase(IMAGES, { version: '4.13.1', mode: 'registry' })).toMatchObject({
      mode: 'registry',
      images: 4,
      storeBytes: (1500 + 1100) * 2.75,
      spoolBytes: 1300,
    });
  });
  test('mode preload: there is no registry, and two images are loaded at a time', () => {
    expect(livePhase(IMAGES, { version: '4.13.1', mode: 'preload' })).toMatchObject({
      mode: 'preload',
      images: 3,
      storeBytes: 1500 * 2.75,
      spoolBytes: 1500,
    });
  });
});

describe.each(['registry', 'preload'] as const)('in mode %s', (mode) => {
  test.each([
    ['4.13.1', 0],
    ['4.18.9', 0],
    ['4.19.0', 4 * GIB],
    ['4.20.0-0.okd-scos.2', 4 * GIB],
    ['4.21.3', 5 * GIB],
    ['5.0.0', 5 * GIB],
    [undefined, 0],
  ])('release %s checks its node image out into %i bytes, all within half of the RAM', (version, bytes) => {
    const plan = livePhase(IMAGES, { version, mode });
    expect(plan.nodeImageBytes).toBe(bytes);
    expect(plan.neededBytes).toBe(plan.storeBytes + plan.spoolBytes + bytes);
    expect(plan.ramBytes).toBe(2 * plan.neededBytes);
  });

  test('nothing to boot needs no RAM', () => {
    expect(livePhase(IMAGES.slice(3, 5), { version: '4.21.3', mode }).neededBytes).toBe(0);
  });
});
