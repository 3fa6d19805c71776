import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { parseImageSet } from '../../../src/mirror/imageset/parse.ts';
import { catalogImages, loadCatalog } from '../../../src/mirror/resolve/catalog-images.ts';
import { digestOf } from '../../../src/oci/digest.ts';
import { formatReference, parseReference } from '../../../src/oci/reference.ts';
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

const DIGEST = `sha256:${'a'.repeat(64)}`;

/** A catalog of one file a package, each with one bundle in one channel. */
function packagesOf(names: readonly string[], inOneFile = false): WorldImage {
  const documents = names.map((name) =>
    [
      { schema: 'olm.package', name, defaultChannel: 'stable' },
      { schema: 'olm.channel', package: name, name: 'stable', entries: [{ name: `${name}.v1.0.0` }] },
      {
        schema: 'olm.bundle',
        package: name,
        name: `${name}.v1.0.0`,
        image: `registry.test/${name}/bundle@${DIGEST}`,
        properties: [{ type: 'olm.package', value: { packageName: name, version: '1.0.0' } }],
        relatedImages: [{ name: 'run', image: `registry.test/${name}/run@${DIGEST}` }],
      },
    ]
      .map((document) => JSON.stringify(document))
      .join('\n'),
  );
  const files = inOneFile
    ? [['configs/all.json', documents.join('\n')] as const]
    : names.map((name, at) => [`configs/${name}/catalog.json`, documents[at] ?? ''] as const);
  return worldImage(new Map(files), 'amd64', LABELS);
}

describe('the images a catalog will ask for', () => {
  const lamp = [`registry.test/lamp/bundle@${DIGEST}`, `registry.test/lamp/run@${DIGEST}`];
  const lock = [`registry.test/lock/bundle@${DIGEST}`, `registry.test/lock/run@${DIGEST}`];
  test.each([
    ['heads of all', {}, [...lamp, ...lock]],
    ['all in full', { full: true }, [...lamp, ...lock]],
    ['one package', { packages: ['lock'] }, lock],
    ['no file of the usual shape', { inOneFile: true }, []],
    ['a channel that is not there', { packages: ['lock'], channel: 'fast' }, []],
  ])(
    '%s',
    async (_name, wish: {
      full?: boolean;
      packages?: string[];
      channel?: string;
      inOneFile?: boolean;
    }, expected) => {
      const image = packagesOf(['lamp', 'lock'], wish.inOneFile);
      const imageSet = parseImageSet(
        JSON.stringify({
          kind: 'ImageSetConfiguration',
          apiVersion: 'mirror.openshift.io/v2alpha1',
          mirror: {
            operators: [
              {
                catalog: 'registry.test/edge/catalog:v1',
                ...(wish.full === undefined ? {} : { full: wish.full }),
                ...(wish.packages === undefined
                  ? {}
                  : {
                      packages: wish.packages.map((name) => ({
                        name,
                        ...(wish.channel === undefined ? {} : { channels: [{ name: wish.channel }] }),
                      })),
                    }),
              },
            ],
          },
        }),
        'set.yaml',
      );
      const [operator] = imageSet.operators;
      if (operator === undefined) throw new RangeError('the image set has a catalog');
      const { bytes, mediaType, digest } = image;
      const foreseen: string[] = [];
      const named = catalogImages(
        operator,
        imageSet,
        {
          getManifest: async () => ({ bytes, mediaType, digest }),
          openBlob: async (_, wanted) => {
            const blob = image.blobs.find((each) => digestOf(each) === wanted);
            return { stream: Readable.from([blob]), sizeBytes: blob?.length };
          },
        },
        { architecture: 'amd64', foresee: (reference) => foreseen.push(formatReference(reference)) },
      );
      if (wish.channel !== undefined)
        await expect(named).rejects.toMatchObject({ code: 'CATALOG_CONTENT_UNKNOWN' });
      else expect((await named).map(({ reference }) => reference)).toEqual(expect.arrayContaining(expected));
      expect(foreseen.sort()).toEqual(expected);
    },
  );
});
