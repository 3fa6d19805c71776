import { Readable } from 'node:stream';
import { constants, createGzip, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readPayload } from '../../../../src/mirror/resolve/payload/read-payload.ts';
import { type Digest, digestOf } from '../../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../../src/oci/manifest.ts';
import { formatReference, parseReference } from '../../../../src/oci/reference.ts';
import {
  imageReferences,
  MadeRegistry,
  METADATA,
  REFERENCES,
  releaseMetadata,
  type TarEntry,
} from './made-images.ts';

const TAG = parseReference('quay.io/ocp/release:4.18.9');
const amd64 = { arch: 'amd64' };
const file = (name: string, content: string | Uint8Array = 'x'): TarEntry => ({ name, content });

async function registryOf(...layers: readonly (readonly TarEntry[])[]): Promise<MadeRegistry> {
  const registry = new MadeRegistry();
  const added: Awaited<ReturnType<MadeRegistry['addLayer']>>[] = [];
  for (const entries of layers) added.push(await registry.addLayer(entries));
  registry.addImage(added);
  return registry;
}

/** How many layers were opened; the first blob is the config. */
const layersOpened = (registry: MadeRegistry): number => registry.opened.length - 1;

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

  it.each<[string, TarEntry[], string]>([
    ['no image-references', [METADATA], 'release-manifests/image-references is in none of its 1 layers'],
    ['no release-metadata', [REFERENCES], 'release-manifests/release-metadata is in none'],
    [
      'neither',
      [file('etc/passwd')],
      'release-manifests/image-references and release-manifests/release-metadata are in none',
    ],
    ['a path that leads out', [file('../../etc/cron.d/x'), REFERENCES, METADATA], 'leads out of the image'],
    [
      'a path that leads out in its middle',
      [file('a/../../x'), REFERENCES, METADATA],
      'leads out of the image',
    ],
    ['an absolute path', [file('/etc/passwd'), REFERENCES, METADATA], 'absolute path "/etc/passwd"'],
    [
      'a symlink for image-references',
      [{ name: REFERENCES.name, type: 'symlink', linkname: '/etc/shadow' }],
      'is a symlink, want a regular file',
    ],
    [
      'a hard link for image-references',
      [{ name: REFERENCES.name, type: 'link', linkname: 'etc/shadow' }],
      'is a link, want a regular file',
    ],
    [
      'a folder for image-references',
      [{ name: REFERENCES.name, type: 'directory' }],
      'is a directory, want a regular file',
    ],
    [
      'a symlink for the folder',
      [{ name: 'release-manifests', type: 'symlink', linkname: 'etc' }],
      'is a symlink, want a directory',
    ],
    ['a file that is too large', [file(REFERENCES.name, Buffer.alloc(9 << 20))], 'has 9437184 bytes'],
    [
      'image-references that are not JSON',
      [file(REFERENCES.name, '{"kind":'), METADATA],
      'image-references: its 8 bytes are not JSON',
    ],
    [
      'another kind',
      [file(REFERENCES.name, '{"kind":"List","spec":{}}'), METADATA],
      'image-references: kind',
    ],
    ['no components', [file(REFERENCES.name, imageReferences([])), METADATA], 'no component images'],
    [
      'a component name that is a path',
      [file(REFERENCES.name, imageReferences(['../etcd'])), METADATA],
      'spec.tags.0.name: not a component name',
    ],
    [
      'a component without registry',
      [file(REFERENCES.name, imageReferences().replaceAll('quay.io/ocp', 'ocp')), METADATA],
      'names no registry host',
    ],
    [
      'a component of two images',
      [file(REFERENCES.name, imageReferences(['etcd', 'pod']).replace('"pod"', '"etcd"')), METADATA],
      'etcd is both',
    ],
    [
      'metadata without version',
      [REFERENCES, file(METADATA.name, '{"kind":"cincinnati-metadata-v0"}')],
      'release-metadata: version',
    ],
    [
      'a version with a path in it',
      [REFERENCES, file(METADATA.name, releaseMetadata({ version: '../4' }))],
      'not a version',
    ],
  ])('refuses %s', async (_name, entries, message) => {
    const read = readPayload(TAG, amd64, await registryOf(entries));
    await expect(read).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      place: { image: 'quay.io/ocp/release:4.18.9' },
    });
    await expect(read).rejects.toThrow(message);
  });

  it('says that an image without the release label may be no release image', async () => {
    const registry = await registryOf([file('etc/passwd')]);
    await expect(readPayload(TAG, amd64, registry)).rejects.toMatchObject({
      suggestions: [expect.stringContaining('io.openshift.release')],
    });
  });

  it.each<[string, (tar: Buffer) => Buffer, string]>([
    ['is no tar', () => gzipSync(Buffer.from('hello '.repeat(200))), 'tar'],
    ['is cut gzip', (tar) => gzipSync(tar).subarray(0, 60), 'unexpected end of file'],
    [
      'is broken gzip',
      (tar) => Buffer.concat([gzipSync(tar).subarray(0, 40), Buffer.alloc(400, 0xff)]),
      'layer',
    ],
    ['is cut zstd', (tar) => zstd(tar).subarray(0, 60), 'ends inside a frame'],
    ['is broken zstd', () => Buffer.from('28b52ffd04000102030405060708', 'hex'), 'layer'],
    ['ends inside a file', (tar) => gzipSync(tar.subarray(0, 700)), 'Unexpected end of data'],
  ])('refuses a layer that %s', async (_name, packer, message) => {
    const registry = new MadeRegistry();
    registry.addImage([await registry.addLayer([file('a', Buffer.alloc(3000, 1)), REFERENCES], packer)]);
    const read = readPayload(TAG, amd64, registry);
    await expect(read).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
    await expect(read).rejects.toThrow(message);
  });

  it('takes nothing more of a gzip bomb than its bound', async () => {
    const registry = new MadeRegistry();
    // 300 MiB of zeros after a header that promises a 10 GB file.
    const chunks: Buffer[] = [];
    for await (const chunk of Readable.from(zeros(300)).pipe(createGzip({ level: 9 })))
      chunks.push(chunk as Buffer);
    registry.addImage([registry.addBlob(Buffer.concat(chunks))]);
    const before = process.memoryUsage().rss;
    await expect(readPayload(TAG, amd64, registry)).rejects.toThrow(/unpacks to more than 268435456 bytes/);
    expect(process.memoryUsage().rss - before).toBeLessThan(256 << 20);
  });
});

function* zeros(mebibytes: number): Generator<Buffer> {
  const tarHeader = Buffer.alloc(512);
  tarHeader.write('sparse.bin', 0);
  tarHeader.write('0000644\0', 100);
  tarHeader.write('0000000\0', 108);
  tarHeader.write('0000000\0', 116);
  // 10 GB, in base 256 as GNU tar writes what octal digits cannot hold.
  tarHeader.writeUInt8(0x80, 124);
  tarHeader.writeUIntBE(10_000_000_000, 130, 6);
  tarHeader.write('00000000000\0', 136);
  tarHeader.write('        ', 148);
  tarHeader.write('0', 156);
  tarHeader.write('ustar\x0000', 257);
  const sum = tarHeader.reduce((total, byte) => total + byte, 0);
  tarHeader.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  yield tarHeader;
  for (let at = 0; at < mebibytes; at += 1) yield Buffer.alloc(1 << 20);
}

describe('readPayload and bytes on the line', () => {
  it('opens no layer below the one that holds everything, and reads that one to its digest', async () => {
    const registry = new MadeRegistry();
    const base = await registry.addLayer([file('big', Buffer.alloc(1 << 20, 1))]);
    const noise = Buffer.from(Array.from({ length: 2 << 20 }, (_, at) => (at * at * 2654435761) >>> 24));
    const top = await registry.addLayer([REFERENCES, METADATA, file('noise', noise)], (tar) => tar);
    registry.addImage([base, top]);
    expect((await readPayload(TAG, amd64, registry)).verified).toBe(true);
    const [, layer] = registry.opened;
    expect(registry.opened.map(({ digest }) => digest)).not.toContain(base.digest);
    expect(layer?.sentBytes).toBe(top.size);
  });

  it('ends the transfer when the rest of the layer is large, and says that it is not verified', async () => {
    const registry = new MadeRegistry();
    const top = await registry.addLayer(
      [REFERENCES, METADATA, file('noise', Buffer.alloc(80 << 20, 1))],
      (tar) => tar,
    );
    registry.addImage([top]);
    expect((await readPayload(TAG, amd64, registry)).verified).toBe(false);
    const layer = registry.opened[1];
    expect(layer?.stream.destroyed).toBe(true);
    expect(layer?.sentBytes).toBeLessThan(1 << 20);
  });

  it.each<[string, (bytes: Buffer) => Buffer, string]>([
    [
      'other bytes',
      (bytes) => Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(8)]),
      'BLOB_DIGEST_MISMATCH',
    ],
    ['fewer bytes', (bytes) => bytes.subarray(0, -8), 'BLOB_TRUNCATED'],
    ['more bytes', (bytes) => Buffer.concat([bytes, Buffer.alloc(1)]), 'BLOB_SIZE_MISMATCH'],
  ])('refuses %s than the manifest tells', async (_name, change, code) => {
    const registry = await registryOf([REFERENCES, METADATA, file('tail', Buffer.alloc(100_000, 3))]);
    for (const [digest, chunks] of registry.blobs) {
      const bytes = Buffer.concat([...chunks]);
      if (bytes.subarray(0, 2).toString('hex') === '1f8b') registry.blobs.set(digest, [change(bytes)]);
    }
    await expect(readPayload(TAG, amd64, registry)).rejects.toMatchObject({ code });
    expect(registry.opened.every(({ stream }) => stream.destroyed)).toBe(true);
  });

  it.each<[string, string, string]>([
    ['is not the one of its digest', '{"architecture":"amd64","os":"linux"}', 'BLOB_DIGEST_MISMATCH'],
    ['is larger than told', `{"architecture":"amd64"${' '.repeat(200)}}`, 'PAYLOAD_INVALID'],
  ])('refuses a config that %s', async (_name, text, code) => {
    const registry = await registryOf([REFERENCES, METADATA]);
    for (const [digest, chunks] of registry.blobs)
      if (Buffer.concat([...chunks]).includes('architecture'))
        registry.blobs.set(digest, [Buffer.from(text)]);
    await expect(readPayload(TAG, amd64, registry)).rejects.toMatchObject({ code });
  });

  it('refuses a manifest that has another digest', async () => {
    const registry = await registryOf([REFERENCES, METADATA]);
    const made = registry.manifests.get('quay.io/ocp/release:4.18.9');
    const digest = digestOf(Buffer.from('another'));
    if (made !== undefined) registry.manifests.set(`quay.io/ocp/release@${digest}`, made);
    const read = readPayload(parseReference(`quay.io/ocp/release@${digest}`), amd64, registry);
    await expect(read).rejects.toMatchObject({ code: 'MANIFEST_DIGEST_MISMATCH' });
  });

  it('passes on that the image is unknown', async () => {
    await expect(readPayload(TAG, amd64, new MadeRegistry())).rejects.toMatchObject({
      code: 'MANIFEST_UNKNOWN',
    });
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
