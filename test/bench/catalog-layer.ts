import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { madePackage } from './made-catalog.ts';
import type { PushedBlob } from './push-image.ts';

export interface CatalogLayer {
  readonly blob: PushedBlob;
  /** Of the tar inside. */
  readonly diffId: Digest;
  readonly packages: number;
  readonly unpackedBytes: number;
}

export interface CatalogLayerOptions {
  readonly seed: string;
  /** Packages are added until the layer unpacks to so much. */
  readonly unpackedBytes: number;
  /** The reference of image N of package M. */
  readonly image: (packageNumber: number, imageNumber: number) => string;
  /** The layer is written here. */
  readonly file: string;
}

const BLOCK = 512;

/** The header of a plain file (POSIX pax, "ustar Interchange Format"). */
function tarHeader(path: string, size: number): Buffer {
  const header = Buffer.alloc(BLOCK);
  const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');
  header.write(path, 0);
  header.write('0000644\0', 100);
  header.write('0000000\0', 108);
  header.write('0000000\0', 116);
  header.write(`${octal(size, 11)}\0`, 124);
  header.write(`${octal(0, 11)}\0`, 136);
  header.write('        ', 148);
  header.write('0', 156);
  header.write('ustar\0', 257);
  header.write('00', 263);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${octal(sum, 6)}\0 `, 148);
  return header;
}

/** Writes the layer of a catalog image, `configs/PACKAGE/catalog.json` each, as gzip; never whole in memory. */
export async function writeCatalogLayer(options: CatalogLayerOptions): Promise<CatalogLayer> {
  let packages = 0;
  let unpackedBytes = 0;
  const inner = createHash('sha256');
  const outer = createHash('sha256');
  let sizeBytes = 0;
  function* tar(): Generator<Buffer> {
    while (unpackedBytes < options.unpackedBytes) {
      const at = packages++;
      const { name, text } = madePackage(options.seed, at, (number) => options.image(at, number));
      const bytes = Buffer.from(text);
      unpackedBytes += bytes.length;
      yield tarHeader(`configs/${name}/catalog.json`, bytes.length);
      yield Buffer.concat([bytes, Buffer.alloc(-bytes.length & (BLOCK - 1))]);
    }
    yield Buffer.alloc(2 * BLOCK);
  }
  async function* hashed(chunks: Iterable<Buffer> | AsyncIterable<Buffer>, each: (chunk: Buffer) => void) {
    for await (const chunk of chunks) {
      each(chunk);
      yield chunk;
    }
  }
  await pipeline(
    Readable.from(hashed(tar(), (chunk) => inner.update(chunk))),
    createGzip({ level: 6 }),
    (packed: AsyncIterable<Buffer>) =>
      hashed(packed, (chunk) => {
        outer.update(chunk);
        sizeBytes += chunk.length;
      }),
    createWriteStream(options.file),
  );
  return {
    blob: { digest: `sha256:${outer.digest('hex')}` as Digest, sizeBytes, from: { file: options.file } },
    diffId: `sha256:${inner.digest('hex')}` as Digest,
    packages,
    unpackedBytes,
  };
}

/** Makes the config and the manifest of an image of one layer, as worldImage lays them out. */
export function catalogImage(layer: CatalogLayer): {
  readonly config: Buffer;
  readonly bytes: Buffer;
  readonly mediaType: string;
} {
  const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
  const config = json({
    architecture: 'amd64',
    os: 'linux',
    config: { Labels: { 'operators.operatorframework.io.index.configs.v1': '/configs' } },
    rootfs: { type: 'layers', diff_ids: [layer.diffId] },
    history: [{ created: '1970-01-01T00:00:00Z', created_by: 'made up' }],
  });
  const docker = 'application/vnd.docker';
  const mediaType = `${docker}.distribution.manifest.v2+json`;
  const bytes = json({
    schemaVersion: 2,
    mediaType,
    config: {
      mediaType: `${docker}.container.image.v1+json`,
      size: config.length,
      digest: digestOf(config),
    },
    layers: [
      {
        mediaType: `${docker}.image.rootfs.diff.tar.gzip`,
        size: layer.blob.sizeBytes,
        digest: layer.blob.digest,
      },
    ],
  });
  return { config, bytes, mediaType };
}
