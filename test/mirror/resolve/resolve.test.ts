import { expect, test } from 'vitest';
import { resolveImages, type WantedImage } from '../../../src/mirror/resolve/resolve.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { formatReference } from '../../../src/oci/reference.ts';
import { worldImage } from '../../support/world-image.ts';

const IMAGE = worldImage(new Map([['name', 'lamp\n']]), 'amd64');
const NAME = 'registry.test/edge/lamp';

/** Resolves against a source that has one image under every name, and counts what is asked for. */
async function resolved(wanted: readonly WantedImage[]) {
  const asked: string[] = [];
  const progress: [number, number][] = [];
  const images = await resolveImages(
    wanted,
    {
      getManifest: async (reference) => {
        asked.push(formatReference(reference));
        const { bytes, mediaType } = IMAGE;
        return { bytes, mediaType, digest: digestOf(bytes) };
      },
    },
    { architecture: 'amd64', parallel: 2, onResolved: (done, total) => progress.push([done, total]) },
  );
  return { asked, progress, images };
}

test('an image that many want by one reference is asked for once, and says all who want it', async () => {
  const { asked, progress, images } = await resolved([
    { reference: `${NAME}:v1`, role: 'operator', requiredBy: 'bundle b', mirrorName: 'm/b:1' },
    { reference: `${NAME}:v1`, role: 'bootstrap', requiredBy: 'bundle a', mirrorName: 'm/a:1' },
    { reference: `${NAME}:v1`, role: 'operator', requiredBy: 'bundle b' },
  ]);
  expect(asked).toEqual([`${NAME}:v1`]);
  expect(progress).toEqual([[1, 1]]);
  expect(images).toMatchObject([
    {
      source: NAME,
      tag: 'v1',
      mirrorNames: ['m/b:1', 'm/a:1'],
      roles: ['bootstrap', 'operator'],
      requiredBy: ['bundle b', 'bundle a'],
    },
  ]);
});

test('two references to one image are one image of the lock', async () => {
  const { asked, images } = await resolved([
    { reference: `${NAME}@${IMAGE.digest}`, role: 'operator', requiredBy: 'bundle a' },
    { reference: `${NAME}:v1`, role: 'additional', requiredBy: 'a line' },
  ]);
  expect(asked).toHaveLength(2);
  expect(images).toMatchObject([
    {
      digest: IMAGE.digest,
      tag: 'v1',
      roles: ['operator', 'additional'],
      requiredBy: ['bundle a', 'a line'],
    },
  ]);
});
