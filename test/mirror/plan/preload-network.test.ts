import { expect, test } from 'vitest';
import { preloadNetwork } from '../../../src/mirror/plan/preload-network.ts';
import { digestFor, lockedImage } from '../../support/locked-image.ts';

const IMAGES = [
  lockedImage('quay.io/release', { release: 100 }, { roles: ['bootstrap', 'release'] }),
  lockedImage('quay.io/os', { os: 5000 }, { roles: ['os'] }),
  lockedImage('quay.io/os-10', { os10: 4000 }, { roles: ['os'] }),
  lockedImage(
    'quay.io/mco',
    { base: 1000, mco: 200 },
    { roles: ['bootstrap', 'release'], requiredBy: ['after the reboot: machine-config-daemon-pull.service'] },
  ),
  lockedImage('quay.io/etcd', { base: 1000, etcd: 200 }, { roles: ['bootstrap', 'release'] }),
];

test.each([
  ['4.13.1', 1],
  ['4.18.9', 1],
  ['4.19.0', 2],
  ['4.21.3', 2],
])(
  '%s: the operating system %i times, machine-config-operator and the release image once',
  (version, osTimes) => {
    const release = { version, image: 'quay.io/release', digest: digestFor('quay.io/release') };
    expect(preloadNetwork({ images: IMAGES, release })).toEqual({
      osBytes: 5000,
      osTimes,
      machineConfigBytes: 1200,
      releaseBytes: 100,
      totalBytes: osTimes * 5000 + 1300,
    });
  },
);

test('a lock without a release pulls nothing again', () => {
  expect(preloadNetwork({ images: [lockedImage('quay.io/own', { own: 9 })] }).totalBytes).toBe(0);
});
