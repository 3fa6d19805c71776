import { gzipSync, zstdCompressSync } from 'node:zlib';
import { type Header, pack } from 'tar-stream';
import type { CatalogImage, CatalogLayer } from '../../../../src/mirror/resolve/catalog/read-catalog.ts';

/** A tar member: its text, or header fields where it is no plain file. */
export type Member = string | Partial<Header>;

export async function tarOf(members: Readonly<Record<string, Member>>): Promise<Buffer> {
  const archive = pack();
  for (const [name, member] of Object.entries(members)) {
    if (typeof member === 'string') archive.entry({ name }, member);
    else archive.entry({ name, ...member });
  }
  archive.finalize();
  const chunks: Uint8Array[] = [];
  for await (const chunk of archive as AsyncIterable<Uint8Array>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export function layerOf(bytes: Uint8Array, chunkBytes = 64 * 1024): CatalogLayer {
  return {
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    open: async () =>
      (async function* () {
        for (let at = 0; at < bytes.length; at += chunkBytes) yield bytes.subarray(at, at + chunkBytes);
      })(),
  };
}

export const packings: Readonly<Record<string, (tar: Buffer) => Buffer>> = {
  plain: (tar) => tar,
  gzip: (tar) => gzipSync(tar),
  'gzip in two members': (tar) =>
    Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]),
  zstd: (tar) => zstdCompressSync(tar),
};

export function configOf(labels: Readonly<Record<string, string>> | undefined): Uint8Array {
  return Buffer.from(
    JSON.stringify({ architecture: 'amd64', config: labels === undefined ? {} : { Labels: labels } }),
  );
}

export const LABEL = 'operators.operatorframework.io.index.configs.v1';

/** An index image made of layers of files, with its label on /configs. */
export async function imageOf(
  layers: readonly Readonly<Record<string, Member>>[],
  packing: (tar: Buffer) => Buffer = (tar) => tar,
  chunkBytes?: number,
): Promise<CatalogImage> {
  const packed = await Promise.all(
    layers.map(async (members) => layerOf(packing(await tarOf(members)), chunkBytes)),
  );
  return { config: configOf({ [LABEL]: '/configs' }), layers: packed };
}
