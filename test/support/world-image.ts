import { crc32 } from 'node:zlib';
import { type Digest, digestOf } from '../../src/oci/digest.ts';

// The bytes of these images are fixed by test/fixtures/oc-mirror/README.md, "Bytes of an image".

const BLOCK = 512;
const MAX_STORED = 65_535;

const DOCKER = {
  manifest: 'application/vnd.docker.distribution.manifest.v2+json',
  list: 'application/vnd.docker.distribution.manifest.list.v2+json',
  config: 'application/vnd.docker.container.image.v1+json',
  layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
} as const;

export interface WorldManifest {
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly architecture: string;
}

export interface WorldImage extends WorldManifest {
  readonly blobs: readonly Buffer[];
}

function tarEntry(path: string, body: Buffer): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(path, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${body.length.toString(8).padStart(11, '0')}\0`, 124);
  header.write('00000000000\0', 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\0', 257);
  header.write('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return Buffer.concat([header, body, Buffer.alloc(-body.length & (BLOCK - 1))]);
}

/** Wraps bytes in gzip without compressing them, so that every library gives the same bytes. */
function storedGzip(bytes: Buffer): Buffer {
  const blocks: Buffer[] = [];
  for (let at = 0; at === 0 || at < bytes.length; at += MAX_STORED) {
    const body = bytes.subarray(at, at + MAX_STORED);
    const head = Buffer.alloc(5);
    head.writeUInt8(at + MAX_STORED >= bytes.length ? 1 : 0, 0);
    head.writeUInt16LE(body.length, 1);
    head.writeUInt16LE(~body.length & 0xffff, 3);
    blocks.push(head, body);
  }
  const tail = Buffer.alloc(8);
  tail.writeUInt32LE(crc32(bytes), 0);
  tail.writeUInt32LE(bytes.length, 4);
  return Buffer.concat([Buffer.from('1f8b08000000000000ff', 'hex'), ...blocks, tail]);
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function descriptor(mediaType: string, bytes: Buffer) {
  return { mediaType, size: bytes.length, digest: digestOf(bytes) };
}

/** Makes an image of one layer that holds the files in their order. */
export function worldImage(
  files: ReadonlyMap<string, string>,
  architecture: string,
  labels: Readonly<Record<string, string>> = {},
): WorldImage {
  const entries = [...files].map(([path, text]) => tarEntry(path, Buffer.from(text)));
  const tar = Buffer.concat([...entries, Buffer.alloc(2 * BLOCK)]);
  const layer = storedGzip(tar);
  const config = json({
    architecture,
    os: 'linux',
    config: { Labels: labels },
    rootfs: { type: 'layers', diff_ids: [digestOf(tar)] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'world' }],
  });
  const bytes = json({
    schemaVersion: 2,
    mediaType: DOCKER.manifest,
    config: descriptor(DOCKER.config, config),
    layers: [descriptor(DOCKER.layer, layer)],
  });
  return {
    digest: digestOf(bytes),
    bytes,
    mediaType: DOCKER.manifest,
    architecture,
    blobs: [config, layer],
  };
}

/** Makes a manifest list of images. */
export function worldList(images: readonly WorldManifest[]): WorldManifest {
  const bytes = json({
    schemaVersion: 2,
    mediaType: DOCKER.list,
    manifests: images.map((image) => ({
      ...descriptor(image.mediaType, image.bytes),
      platform: { architecture: image.architecture, os: 'linux' },
    })),
  });
  return { digest: digestOf(bytes), bytes, mediaType: DOCKER.list, architecture: 'multi' };
}
