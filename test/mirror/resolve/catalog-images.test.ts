import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { loadCatalog } from '../../../src/mirror/resolve/catalog-images.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { parseReference } from '../../../src/oci/reference.ts';
import { type WorldImage, worldImage } from '../../support/world-image.ts';

const LABELS = { 'operators.operatorframework.io.index.configs.v1': '/configs' };

function catalogOf(name: string): WorldImage {
  const text = JSON.stringify({ schema: 'olm.package', name });
  return worldImage(new Map([[`configs/${name}/catalog.json`, text]]), 'amd64', LABELS);
}

/** Loads a catalog from a registry that gives the last blobs of `served` for those of `image`. */
function loadFrom(image: WorldImage, served: WorldImage) {
  const { bytes, mediaType, digest } = image;
  return loadCatalog(
    parseReference('registry.test/edge/catalog:v1'),
    {
      getManifest: async () => ({ bytes, mediaType, digest }),
      openBlob: async (_, wanted) => {
        const at = image.blobs.findIndex((blob) => digestOf(blob) === wanted);
        const from = at === image.blobs.length - 1 ? served : image;
        return { stream: Readable.from([from.blobs[at]]), sizeBytes: from.blobs[at]?.length };
      },
    },
    { architecture: 'amd64' },
  );
}

test('a catalog is read out of the layers its manifest names', async () => {
  const { packages } = await loadFrom(catalogOf('lamp'), catalogOf('lamp'));
  expect([...packages.keys()]).toEqual(['lamp']);
});

test('a layer with other bytes than its digest promises is refused, sound as they are', async () => {
  await expect(loadFrom(catalogOf('lamp'), catalogOf('other'))).rejects.toMatchObject({
    code: 'BLOB_DIGEST_MISMATCH',
    message: expect.stringMatching(/^a layer of registry\.test\/edge\/catalog:v1 has digest sha256:/),
  });
});
