import { spawnSync } from 'node:child_process';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { createGzip, gzipSync, zstdCompressSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { readPayload } from '../../../../src/mirror/resolve/payload/read-payload.ts';
import { digestOf } from '../../../../src/oci/digest.ts';
import { parseReference } from '../../../../src/oci/reference.ts';
import {
  file,
  imageReferences,
  MadeRegistry,
  METADATA,
  REFERENCES,
  registryOf,
  releaseMetadata,
  TAG,
  type TarEntry,
} from './made-images.ts';

const amd64 = { arch: 'amd64' };

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

describe('readPayload of hostile images', () => {
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
    ['is cut zstd', (tar) => zstdCompressSync(tar).subarray(0, 60), 'ends inside a frame'],
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

  const hasTar = spawnSync('tar', ['--version']).stdout?.includes('GNU tar') ?? false;
  it.skipIf(!hasTar).each<[string, string, string, RegExp]>([
    ['GNU', 'gnu', 'release-manifests/image-references', /want a regular file/],
    ['GNU, with more holes than a header holds', 'gnu', 'holes', /tar header|in none of/],
    ['POSIX', 'posix', 'release-manifests/image-references', /in none of/],
  ])(
    'refuses a sparse member of 10 GB, written as %s (needs GNU tar)',
    async (_name, format, name, message) => {
      const folder = mkdtempSync(join(tmpdir(), 'sparse-'));
      try {
        mkdirSync(join(folder, 'release-manifests'));
        const handle = openSync(join(folder, name), 'w');
        const holes = name === 'holes' ? 40 : 1;
        for (let at = 0; at < holes; at += 1)
          writeSync(handle, Buffer.alloc(4096, 1), 0, 4096, at * 1_000_000);
        closeSync(handle);
        truncateSync(join(folder, name), 10e9);
        writeFileSync(join(folder, 'after'), 'x');
        const args = [`--format=${format}`, '--sparse', '-C', folder, '-cf', '-', name, 'after'];
        const registry = new MadeRegistry();
        registry.addImage([registry.addBlob(spawnSync('tar', args, { maxBuffer: 1 << 26 }).stdout)]);
        const read = readPayload(TAG, amd64, registry);
        await expect(read).rejects.toMatchObject({ code: 'PAYLOAD_INVALID' });
        await expect(read).rejects.toThrow(message);
      } finally {
        rmSync(folder, { recursive: true });
      }
    },
  );
});

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
