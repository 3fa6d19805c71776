import { describe, expect, test } from 'vitest';
import { digestOf } from '../../src/oci/digest.ts';
import { MAX_MANIFEST_BYTES, MEDIA_TYPE, parseManifest, selectPlatform } from '../../src/oci/manifest.ts';
import { makeImage, makeManifestList } from '../support/made-image.ts';

const digest = `sha256:${'b'.repeat(64)}`;
const config = { mediaType: 'application/vnd.oci.image.config.v1+json', digest, size: 7 };
const layer = { mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest, size: 9 };
const imageOf = (changes: object): object => ({ schemaVersion: 2, config, layers: [layer], ...changes });
const indexOf = (manifests: unknown, changes: object = {}): object => ({
  schemaVersion: 2,
  manifests,
  ...changes,
});
const parse = (document: unknown, type = '') =>
  parseManifest(Buffer.from(JSON.stringify(document)), type, 'quay.io/org/app:v1');

describe('parseManifest accepts', () => {
  test.each([
    ['an OCI image', imageOf({ mediaType: MEDIA_TYPE.ociManifest }), '', 'image', MEDIA_TYPE.ociManifest],
    [
      'a docker image',
      imageOf({ mediaType: MEDIA_TYPE.dockerManifest }),
      '',
      'image',
      MEDIA_TYPE.dockerManifest,
    ],
    ['an OCI index', indexOf([], { mediaType: MEDIA_TYPE.ociIndex }), '', 'index', MEDIA_TYPE.ociIndex],
    ['a docker list', indexOf([], { mediaType: MEDIA_TYPE.dockerList }), '', 'index', MEDIA_TYPE.dockerList],
    [
      'the type from the header',
      imageOf({}),
      `${MEDIA_TYPE.ociManifest}; charset=utf-8`,
      'image',
      MEDIA_TYPE.ociManifest,
    ],
    [
      'the document over the header',
      imageOf({ mediaType: MEDIA_TYPE.dockerManifest }),
      MEDIA_TYPE.ociIndex,
      'image',
      MEDIA_TYPE.dockerManifest,
    ],
    ['an untyped image', imageOf({}), 'application/json', 'image', MEDIA_TYPE.ociManifest],
    ['an untyped index', indexOf([]), 'application/octet-stream', 'index', MEDIA_TYPE.ociIndex],
    [
      'unknown fields',
      imageOf({ mediaType: MEDIA_TYPE.ociManifest, subject: config, x: 1 }),
      '',
      'image',
      MEDIA_TYPE.ociManifest,
    ],
  ])('%s', (_, document, type, kind, mediaType) => {
    expect(parse(document, type)).toMatchObject({ kind, mediaType });
  });

  test('made images and lists, with all their descriptors', async () => {
    for (const format of ['oci', 'docker'] as const) {
      const image = await makeImage({ seed: 's', format, layers: [{ seed: 'l', sizeBytes: 10 }] });
      const [made] = image.layers;
      expect(parseManifest(image.manifest, '', 'made')).toMatchObject({
        config: { digest: image.config.digest, sizeBytes: image.config.bytes.length },
        layers: [{ digest: made?.digest, sizeBytes: made?.bytes.length }],
      });
      const list = makeManifestList([image], format);
      expect(parseManifest(list.manifest, '', 'made')).toMatchObject({
        manifests: [{ digest: image.digest, platform: { os: 'linux', architecture: 'amd64' } }],
      });
    }
  });
});

describe('parseManifest refuses', () => {
  const typed = { mediaType: MEDIA_TYPE.ociManifest };
  test.each([
    ['a list', [], /document is not an object/],
    ['null', null, /document is not an object/],
    ['schema 1', imageOf({ schemaVersion: 1 }), /schemaVersion is 1, want 2/],
    ['no schema version', { config, layers: [] }, /schemaVersion is missing/],
    ['an unknown type', imageOf({ mediaType: 'text/\u001bhtml' }), /media type "text\/ html" is none of/],
    ['image and index at once', imageOf({ ...typed, manifests: [] }), /an index and an image at once/],
    ['no config', { schemaVersion: 2, ...typed, layers: [] }, /config is not an object/],
    ['layers that are no list', imageOf({ ...typed, layers: {} }), /layers is not a list/],
    [
      'a layer without a type',
      imageOf({ ...typed, layers: [{ digest, size: 1 }] }),
      /layers\[0\].mediaType is missing/,
    ],
    [
      'a layer with another digest',
      imageOf({ ...typed, layers: [layer, { ...layer, digest: 'sha512:0' }] }),
      /layers\[1\].digest/,
    ],
    ['a negative size', imageOf({ ...typed, config: { ...config, size: -1 } }), /config.size/],
    ['half a byte', imageOf({ ...typed, config: { ...config, size: 0.5 } }), /config.size/],
    ['a size as text', imageOf({ ...typed, config: { ...config, size: '7' } }), /config.size/],
    ['a size beyond counting', imageOf({ ...typed, config: { ...config, size: 2 ** 60 } }), /config.size/],
    [
      'annotations that are no texts',
      imageOf({ ...typed, config: { ...config, annotations: { a: 1 } } }),
      /annotations/,
    ],
  ])('%s', (_, document, message) => {
    expect(() => parse(document)).toThrow(
      expect.objectContaining({
        code: 'MANIFEST_INVALID',
        exitCode: 6,
        message: expect.stringMatching(message),
      }),
    );
  });

  test.each([
    ['no JSON', Buffer.from('<html>')],
    ['no UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ['cut JSON', Buffer.from('{"schemaVersion":2')],
    ['too many bytes', Buffer.alloc(MAX_MANIFEST_BYTES + 1, ' ')],
  ])('%s', (_, bytes) => {
    expect(() => parseManifest(bytes, MEDIA_TYPE.ociManifest, 'x')).toThrow(
      expect.objectContaining({ code: 'MANIFEST_INVALID' }),
    );
  });
});

describe('selectPlatform', () => {
  const entry = (name: string, platform?: object) => ({
    mediaType: MEDIA_TYPE.ociManifest,
    digest: digestOf(Buffer.from(name)),
    size: 1,
    ...(platform === undefined ? {} : { platform }),
  });
  const linux = (architecture: string, variant?: string) => ({
    os: 'linux',
    architecture,
    ...(variant === undefined ? {} : { variant }),
  });
  const attestation = entry('attestation', { os: 'unknown', architecture: 'unknown' });
  const windows = entry('windows', { os: 'windows', architecture: 'amd64' });
  test.each([
    ['the one', 'amd64', [entry('no'), windows, entry('yes', linux('amd64')), attestation]],
    [
      'the baseline of variants',
      'amd64',
      [entry('v3', linux('amd64', 'v3')), entry('yes', linux('amd64', 'v1'))],
    ],
    [
      'no variant over v3',
      'amd64',
      [entry('v3', linux('amd64', 'v3')), entry('yes', linux('amd64')), entry('n', linux('arm64'))],
    ],
    ['arm64 v8', 'arm64', [entry('v9', linux('arm64', 'v9')), entry('yes', linux('arm64', 'v8'))]],
    ['the only variant', 'amd64', [entry('yes', linux('amd64', 'v2'))]],
    ['the first of twins', 's390x', [entry('yes', linux('s390x')), entry('twin', linux('s390x'))]],
  ] as const)('selects %s', (_, architecture, manifests) => {
    const index = parse(indexOf(manifests));
    if (index.kind !== 'index') throw new Error('an index was made');
    expect(selectPlatform(index, architecture).digest).toBe(digestOf(Buffer.from('yes')));
  });

  test.each([
    ['others', [entry('a', linux('arm64')), windows, attestation], 'it has linux/arm64, windows/amd64'],
    ['attestations only', [attestation], 'it has no platform at all'],
    ['half a platform', [entry('a', { os: 'linux' })], 'it has no platform at all'],
    ['nothing', [], 'it has no platform at all'],
  ])('says what there is: %s', (_, manifests, message) => {
    const index = parse(indexOf(manifests));
    if (index.kind !== 'index') throw new Error('an index was made');
    expect(() => selectPlatform(index, 'ppc64le', 'quay.io/org/app:v1')).toThrow(
      expect.objectContaining({ code: 'PLATFORM_UNKNOWN', message: expect.stringContaining(message) }),
    );
  });
});
