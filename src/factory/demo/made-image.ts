import { createCipheriv, createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { MEDIA_TYPE } from '../../oci/manifest.ts';

/** Layers with the same recipe have the same bytes, in whatever image: that is how images share them. */
export interface LayerRecipe {
  readonly seed: string;
  readonly sizeBytes: number;
}

export interface MadeBlob {
  readonly digest: Digest;
  readonly bytes: Buffer;
  readonly mediaType: string;
}

export interface MadeImage {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly manifest: Buffer;
  readonly config: MadeBlob;
  readonly layers: readonly (MadeBlob & { readonly diffId: Digest })[];
  readonly architecture: string;
}

export interface MadeList {
  readonly digest: Digest;
  readonly mediaType: string;
  readonly manifest: Buffer;
  readonly images: readonly MadeImage[];
}

export interface ImageRecipe {
  readonly seed: string;
  readonly layers: readonly LayerRecipe[];
  readonly format?: 'oci' | 'docker';
  readonly architecture?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Extra files for the last layer, path to content. */
  readonly files?: Readonly<Record<string, string | Buffer>>;
}

const TYPES = {
  oci: {
    manifest: MEDIA_TYPE.ociManifest,
    index: MEDIA_TYPE.ociIndex,
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
  docker: {
    manifest: MEDIA_TYPE.dockerManifest,
    index: MEDIA_TYPE.dockerList,
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
} as const;

/** Gives bytes that look random and depend on the seed only. */
export function madeBytes(seed: string, sizeBytes: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(sizeBytes));
}

async function makeTar(files: Readonly<Record<string, string | Buffer>>): Promise<Buffer> {
  const tar = pack();
  for (const [name, content] of Object.entries(files)) tar.entry({ name, mtime: new Date(0) }, content);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

function blobOf(bytes: Buffer, mediaType: string): MadeBlob {
  return { digest: digestOf(bytes), bytes, mediaType };
}

function descriptorOf({ mediaType, digest, bytes }: MadeBlob): object {
  return { mediaType, size: bytes.length, digest };
}

/** Layers made so far: images share them, and compressing one twice would be most of the work. */
const made = new Map<string, Promise<{ readonly bytes: Buffer; readonly diffId: Digest }>>();

function makeLayer(
  { seed, sizeBytes }: LayerRecipe,
  files: Readonly<Record<string, string | Buffer>>,
): Promise<{ readonly bytes: Buffer; readonly diffId: Digest }> {
  const make = async () => {
    const name = createHash('sha256').update(seed).digest('hex').slice(0, 8);
    const tar = await makeTar({ [`usr/share/${name}.bin`]: madeBytes(seed, sizeBytes), ...files });
    return { bytes: gzipSync(tar), diffId: digestOf(tar) };
  };
  if (Object.keys(files).length > 0) return make();
  const key = `${sizeBytes} ${seed}`;
  const known = made.get(key) ?? make();
  made.set(key, known);
  return known;
}

/** Makes an image whose config, diff_ids and history are real, so that container engines take it. */
export async function makeImage(recipe: ImageRecipe): Promise<MadeImage> {
  const { seed, format = 'oci', architecture = 'amd64', labels = {}, files = {} } = recipe;
  const types = TYPES[format];
  const layers = await Promise.all(
    recipe.layers.map(async (layer, at) => {
      const { bytes, diffId } = await makeLayer(layer, at === recipe.layers.length - 1 ? files : {});
      return { ...blobOf(bytes, types.layer), diffId };
    }),
  );
  const config = {
    architecture,
    os: 'linux',
    created: '1970-01-01T00:00:00Z',
    config: { Cmd: ['/usr/bin/true'], Labels: { 'io.edgefab.test.seed': seed, ...labels } },
    rootfs: { type: 'layers', diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map((_, at) => ({
      created: '1970-01-01T00:00:00Z',
      created_by: `layer ${at} of ${seed}`,
    })),
  };
  const configBlob = blobOf(Buffer.from(JSON.stringify(config)), types.config);
  const manifest = Buffer.from(
    JSON.stringify(
      {
        schemaVersion: 2,
        mediaType: types.manifest,
        config: descriptorOf(configBlob),
        layers: layers.map(descriptorOf),
      },
      undefined,
      3,
    ),
  );
  return {
    digest: digestOf(manifest),
    mediaType: types.manifest,
    manifest,
    config: configBlob,
    layers,
    architecture,
  };
}

/** Makes a manifest list (docker) or an index (oci) over images, with extra raw entries where wanted. */
export function makeManifestList(
  images: readonly MadeImage[],
  format: 'oci' | 'docker' = 'oci',
  extra: readonly object[] = [],
): MadeList {
  const manifests = images.map(({ mediaType, manifest, digest, architecture }) => ({
    mediaType,
    size: manifest.length,
    digest,
    platform: { architecture, os: 'linux' },
  }));
  const mediaType = TYPES[format].index;
  const manifest = Buffer.from(
    JSON.stringify({ schemaVersion: 2, mediaType, manifests: [...manifests, ...extra] }, undefined, 3),
  );
  return { digest: digestOf(manifest), mediaType, manifest, images };
}

/** All blobs of an image besides its manifest. */
export function blobsOf(image: MadeImage): readonly MadeBlob[] {
  return [image.config, ...image.layers];
}
