import { expect, test } from 'vitest';
import { rememberManifests } from '../../../src/mirror/resolve/remember-manifests.ts';
import { formatReference, type ImageReference, parseReference } from '../../../src/oci/reference.ts';
import { worldImage } from '../../support/world-image.ts';

const IMAGE = worldImage(new Map([['name', 'lamp\n']]), 'amd64');
const PINNED = parseReference(`registry.test/edge/lamp@${IMAGE.digest}`);

function openSource() {
  const asked: string[] = [];
  const source = rememberManifests({
    getManifest: async (reference: ImageReference) => {
      asked.push(formatReference(reference));
      const { bytes, mediaType, digest } = IMAGE;
      return { bytes, mediaType, digest };
    },
  });
  return { asked, source };
}

test('what was had by its tag is not asked for by its digest', async () => {
  const { asked, source } = openSource();
  await source.getManifest(parseReference('registry.test/edge/lamp:v1'));
  expect((await source.getManifest(PINNED)).bytes).toBe(IMAGE.bytes);
  expect(asked).toEqual(['registry.test/edge/lamp:v1']);
});

test('a tag is asked for each time: it may have moved', async () => {
  const { asked, source } = openSource();
  await source.getManifest(parseReference('registry.test/edge/lamp:v1'));
  await source.getManifest(parseReference('registry.test/edge/lamp:v1'));
  expect(asked).toHaveLength(2);
});

test('it is held for one who comes later, not for ever', async () => {
  const { asked, source } = openSource();
  for (let times = 0; times < 3; times += 1) await source.getManifest(PINNED);
  expect(asked).toHaveLength(2);
});

test('the same digest of another repository is asked for there', async () => {
  const { asked, source } = openSource();
  await source.getManifest(PINNED);
  await source.getManifest(parseReference(`registry.test/other@${IMAGE.digest}`));
  expect(asked).toHaveLength(2);
});
