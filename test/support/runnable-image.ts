import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/manifest.ts';
import type { MadeBlob, MadeImage } from './made-image.ts';

export interface RunnableImage {
  /** One layer each; paths without a leading slash. Everything may be run. */
  readonly layers: readonly Readonly<Record<string, string | Buffer>>[];
  /** The `config` of the image's configuration. */
  readonly config: Readonly<Record<string, unknown>>;
}

type Layer = MadeImage['layers'][number];

/** Layers made so far: images share them, and compressing one twice would be most of the work. */
const made = new Map<object, Promise<Layer>>();

async function makeLayer(files: Readonly<Record<string, string | Buffer>>): Promise<Layer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files))
    tar.entry({ name, mode: 0o755, mtime: new Date(0) }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  const plain = Buffer.concat(chunks);
  const bytes = gzipSync(plain, { level: 1 });
  const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';
  return { digest: digestOf(bytes), bytes, mediaType, diffId: digestOf(plain) };
}

/** Makes an OCI image whose program really runs. The same layer object is the same layer. */
export async function makeRunnableImage({ layers, config }: RunnableImage): Promise<MadeImage> {
  const blobs = await Promise.all(
    layers.map((files) => {
      const layer = made.get(files) ?? makeLayer(files);
      made.set(files, layer);
      return layer;
    }),
  );
  const bytes = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      config,
      rootfs: { type: 'layers', diff_ids: blobs.map(({ diffId }) => diffId) },
    }),
  );
  const mediaType = 'application/vnd.oci.image.config.v1+json';
  const configBlob: MadeBlob = { digest: digestOf(bytes), bytes, mediaType };
  const descriptor = (blob: MadeBlob) => ({
    mediaType: blob.mediaType,
    size: blob.bytes.length,
    digest: blob.digest,
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPE.ociManifest,
      config: descriptor(configBlob),
      layers: blobs.map(descriptor),
    }),
  );
  return {
    digest: digestOf(manifest),
    mediaType: MEDIA_TYPE.ociManifest,
    manifest,
    config: configBlob,
    layers: blobs,
    architecture: 'amd64',
  };
}
