import { constants, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readPayload } from '../../../../src/mirror/resolve/payload/read-payload.ts';
import { type Digest, digestOf } from '../../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../../src/oci/manifest.ts';
import { formatReference, parseReference } from '../../../../src/oci/reference.ts';
import {
  file,
  layersOpened,
  MadeRegistry,
  METADATA,
  REFERENCES,
  registryOf,
  releaseMetadata,
  TAG,
  type TarEntry,
} from './made-images.ts';

const amd64 = { arch: 'amd64' };

describe('readPayload', () => {
  it('reads version, components and metadata from the topmost layer only', async () => {
    const registry = await registryOf([file('usr/bin/oc')], [REFERENCES, METADATA]);
    const payload = await readPayload(TAG, amd64, registry);
    expect(payload).toMatchObject({
      version: '4.18.9',
      architecture: 'amd64',
      verified: true,
      metadata: {
        previous: ['4.17.20', '4.18.8'],
        next: [],
        url: 'https://access.redhat.com/errata/RHSA-2025:0001',
      },
    });
    expect(payload.images.map(({ name }) => name)).toEqual([
      'cluster-bootstrap',
      'etcd',
      'machine-config-operator',
      'pod',
      'rhel-coreos',
    ]);
    expect(payload.images.map(({ reference }) => formatReference(reference))[1]).toBe(
      `quay.io/ocp/art@${digestOf(Buffer.from('etcd'))}`,
    );
    expect(payload.digest).toBe(payload.archDigest);
    expect(layersOpened(registry)).toBe(1);
  });

  it('reads by digest', async () => {
    const registry = await registryOf([REFERENCES, METADATA]);
    const { digest } = await readPayload(TAG, amd64, registry);
    const byDigest = await readPayload(parseReference(`quay.io/ocp/release@${digest}`), amd64, registry);
    expect(byDigest.digest).toBe(digest);
  });

  it('reads an OKD payload, whose components may have tags', async () => {
    const from = { kind: 'DockerImage', name: 'quay.io/okd/scos-content:stream-coreos' };
    const tags = [{ name: 'stream-coreos', from }];
    const registry = await registryOf([
      file('release-manifests/image-references', JSON.stringify({ kind: 'ImageStream', spec: { tags } })),
      file(
        'release-manifests/release-metadata',
        releaseMetadata({ version: '4.21.0-okd-scos.3', previous: null, metadata: null }),
      ),
    ]);
    const payload = await readPayload(TAG, amd64, registry);
    expect(payload.version).toBe('4.21.0-okd-scos.3');
    expect(payload.images).toEqual([{ name: 'stream-coreos', reference: parseReference(from.name) }]);
  });

  const zstd = (tar: Buffer): Buffer => zstdCompressSync(tar);
  const chunkedZstd = (tar: Buffer): Buffer =>
    Buffer.concat([
      Buffer.from('502a4d180400000000000000', 'hex'),
      ...Array.from({ length: Math.ceil(tar.length / 512) }, (_, at) =>
        zstdCompressSync(tar.subarray(at * 512, at * 512 + 512)),
      ),
      Buffer.from('502a4d180400000000000000', 'hex'),
    ]);
  it.each<[string, (tar: Buffer) => Buffer]>([
    ['gzip', (tar) => gzipSync(tar)],
    ['gzip with its files stored', (tar) => gzipSync(tar, { level: 0 })],
    [
      'gzip of several members',
      (tar) => Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
    ],
    ['zstd', zstd],
    [
      'zstd with a checksum',
      (tar) => zstdCompressSync(tar, { params: { [constants.ZSTD_c_checksumFlag]: 1 } }),
    ],
    ['zstd:chunked, a frame for each piece', chunkedZstd],
    ['nothing', (tar) => tar],
  ])('unpacks a layer packed with %s', async (_name, packer) => {
    const registry = new MadeRegistry();
    const order = [file('a', Buffer.alloc(200_000, 1)), METADATA, file('b'), REFERENCES, file('c')];
    registry.addImage([await registry.addLayer(order, packer)]);
    expect((await readPayload(TAG, amd64, registry)).images).toHaveLength(5);
  });

  it.each<[string, TarEntry[][], number]>([
    ['the files in different layers', [[REFERENCES], [METADATA]], 2],
    [
      'an upper file before a lower one',
      [[file('release-manifests/image-references', '{}'), METADATA], [REFERENCES]],
      2,
    ],
    ['a layer above with nothing', [[REFERENCES, METADATA], [file('etc/motd')], []], 3],
    [
      'names that begin with ./',
      [
        [
          { ...REFERENCES, name: './release-manifests/image-references' },
          { ...METADATA, name: './release-manifests/release-metadata' },
        ],
      ],
      1,
    ],
    [
      'a whiteout of something else',
      [
        [REFERENCES, METADATA],
        [file('release-manifests/.wh.image-references.old'), file('.wh.release-manifest')],
      ],
      2,
    ],
    [
      'an opaque folder in the layer that has the files',
      [
        [REFERENCES],
        [{ name: './', type: 'directory' }, file('release-manifests/.wh..wh..opq'), REFERENCES, METADATA],
      ],
      1,
    ],
    [
      'folders and links around',
      [
        [
          { name: 'release-manifests/', type: 'directory' },
          { name: 'a', type: 'symlink', linkname: '../../etc' },
          REFERENCES,
          METADATA,
        ],
      ],
      1,
    ],
    ['a long name in a pax header', [[file(`${'d/'.repeat(200)}f`), REFERENCES, METADATA]], 1],
  ])('reads through %s', async (_name, layers, opened) => {
    const registry = await registryOf(...layers);
    expect((await readPayload(TAG, amd64, registry)).version).toBe('4.18.9');
    expect(layersOpened(registry)).toBe(opened);
  });

  it.each<[string, TarEntry[]]>([
    ['the file', [file('release-manifests/.wh.image-references')]],
    ['its folder', [file('.wh.release-manifests')]],
    ['what is in its folder', [file('release-manifests/.wh..wh..opq')]],
    ['everything', [file('.wh..wh..opq')]],
  ])('does not look below a layer that deletes %s', async (_name, above) => {
    const registry = await registryOf([REFERENCES, METADATA], above);
    await expect(readPayload(TAG, amd64, registry)).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      exitCode: 3,
    });
    await expect(readPayload(TAG, amd64, registry)).rejects.toThrow('deletes release-manifests/');
  });
});

describe('readPayload and architectures', () => {
  async function multi(architectures: Record<string, string>, metadata: Record<string, unknown> = {}) {
    const registry = new MadeRegistry();
    const children: { mediaType: string; digest: Digest; size: number; platform: object }[] = [];
    for (const [platform, architecture] of Object.entries(architectures)) {
      const layer = await registry.addLayer([
        REFERENCES,
        file(METADATA.name, releaseMetadata(metadata)),
        file(platform),
      ]);
      const digest = registry.addImage([layer], { tags: [], architecture });
      const mediaType = MEDIA_TYPE.dockerManifest;
      children.push({ mediaType, digest, size: 1, platform: { os: 'linux', architecture: platform } });
    }
    registry.addManifest({ manifests: children }, MEDIA_TYPE.dockerList, [formatReference(TAG)]);
    return { registry, children };
  }
  const said = { metadata: { 'release.openshift.io/architecture': 'multi' } };

  it('takes the child of a multi payload, and says that its components are lists', async () => {
    const { registry, children } = await multi({ amd64: 'amd64', arm64: 'arm64' }, said);
    const payload = await readPayload(TAG, { arch: 'arm64' }, registry);
    expect(payload).toMatchObject({ architecture: 'multi', archDigest: children[1]?.digest });
    expect(payload.digest).toBe((await registry.getManifest(TAG)).digest);
  });

  it('says what a list has when the wanted one is not there', async () => {
    const { registry } = await multi({ amd64: 'amd64', s390x: 's390x' }, said);
    const read = readPayload(TAG, { arch: 'arm64' }, registry);
    await expect(read).rejects.toMatchObject({ code: 'PLATFORM_UNKNOWN' });
    await expect(read).rejects.toThrow('linux/amd64, linux/s390x');
  });

  it('refuses a single payload of another architecture before it opens a layer', async () => {
    const registry = new MadeRegistry();
    registry.addImage([await registry.addLayer([REFERENCES, METADATA])], { architecture: 'arm64' });
    const read = readPayload(TAG, amd64, registry);
    await expect(read).rejects.toMatchObject({ code: 'PAYLOAD_ARCH_MISMATCH', exitCode: 3 });
    await expect(read).rejects.toThrow('is for arm64 (by its config), want amd64');
    expect(layersOpened(registry)).toBe(0);
  });

  it('refuses a list that lies about its child', async () => {
    const { registry } = await multi({ amd64: 'arm64' });
    await expect(readPayload(TAG, amd64, registry)).rejects.toMatchObject({ code: 'PAYLOAD_ARCH_MISMATCH' });
  });

  it('refuses metadata that name another architecture', async () => {
    const { registry } = await multi(
      { amd64: 'amd64' },
      { metadata: { 'release.openshift.io/architecture': 'arm64' } },
    );
    await expect(readPayload(TAG, amd64, registry)).rejects.toThrow('by its release-metadata');
  });

  it('refuses a list in a list', async () => {
    const registry = new MadeRegistry();
    const inner = registry.addManifest({ manifests: [] }, MEDIA_TYPE.ociIndex, []);
    const child = {
      mediaType: MEDIA_TYPE.ociIndex,
      digest: inner,
      size: 1,
      platform: { os: 'linux', architecture: 'amd64' },
    };
    registry.addManifest({ manifests: [child] }, MEDIA_TYPE.ociIndex, [formatReference(TAG)]);
    await expect(readPayload(TAG, amd64, registry)).rejects.toThrow('leads to another list');
  });
});
