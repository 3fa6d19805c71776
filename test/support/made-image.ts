import { execFile } from 'node:child_process';
import { createCipheriv, createHash } from 'node:crypto';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { type Digest, digestHex, digestOf } from '../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../src/oci/manifest.ts';
import type { DockerRegistry } from './docker-registry.ts';

const run = promisify(execFile);

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

/** Makes an image whose config, diff_ids and history are real, so that container engines take it. */
export async function makeImage(recipe: ImageRecipe): Promise<MadeImage> {
  const { seed, format = 'oci', architecture = 'amd64', labels = {}, files = {} } = recipe;
  const types = TYPES[format];
  const layers = await Promise.all(
    recipe.layers.map(async ({ seed: layerSeed, sizeBytes }, at) => {
      const name = createHash('sha256').update(layerSeed).digest('hex').slice(0, 8);
      const content = { [`usr/share/${name}.bin`]: madeBytes(layerSeed, sizeBytes) };
      const tar = await makeTar(at === recipe.layers.length - 1 ? { ...content, ...files } : content);
      return { ...blobOf(gzipSync(tar), types.layer), diffId: digestOf(tar) };
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

/** Writes an image in skopeo's `dir:` form. */
export async function writeDirImage(image: MadeImage, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'version'), 'Directory Transport Version: 1.1\n');
  await writeFile(join(folder, 'manifest.json'), image.manifest);
  for (const { digest, bytes } of blobsOf(image)) await writeFile(join(folder, digestHex(digest)), bytes);
}

type Target = Pick<DockerRegistry, 'host' | 'url' | 'authfile' | 'username' | 'password' | 'tokenServer'>;

export interface PushedImage {
  readonly image: MadeImage;
  readonly repository: string;
  /** Pushed by digest alone when not given. */
  readonly tag?: string;
}

/** Pushes images with skopeo, manifests byte for byte. */
export async function pushImages(registry: Target, pushed: readonly PushedImage[]): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'edgefab-push-'));
  try {
    for (const [at, { image, repository, tag }] of pushed.entries()) {
      const source = join(folder, String(at));
      await writeDirImage(image, source);
      const suffix = tag === undefined ? `@${image.digest}` : `:${tag}`;
      const safe = ['--insecure-policy', 'copy', '--quiet', '--preserve-digests'];
      const access = ['--dest-tls-verify=false', '--dest-authfile', registry.authfile()];
      await run('skopeo', [
        ...safe,
        ...access,
        `dir:${source}`,
        `docker://${registry.host}/${repository}${suffix}`,
      ]);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function pushAuthorization(registry: Target, repository: string): Promise<Record<string, string>> {
  const basic = `Basic ${Buffer.from(`${registry.username}:${registry.password}`).toString('base64')}`;
  if (registry.tokenServer === undefined) return { authorization: basic };
  const { realm, service } = registry.tokenServer;
  const query = new URLSearchParams({ service, scope: `repository:${repository}:pull,push` });
  const answer = await fetch(`${realm}?${query}`, { headers: { authorization: basic } });
  const { token } = (await answer.json()) as { token: string };
  return { authorization: `Bearer ${token}` };
}

/** Puts raw manifest bytes into a plain-http registry, whose children must be there already. */
export async function pushManifest(
  registry: Target,
  repository: string,
  reference: string,
  { manifest, mediaType }: Pick<MadeList, 'manifest' | 'mediaType'>,
): Promise<void> {
  const answer = await fetch(`${registry.url}/v2/${repository}/manifests/${reference}`, {
    method: 'PUT',
    headers: { 'content-type': mediaType, ...(await pushAuthorization(registry, repository)) },
    body: new Uint8Array(manifest),
  });
  if (answer.status !== 201)
    throw new Error(`PUT ${reference}: HTTP ${answer.status} ${await answer.text()}`);
}

/** Pushes a list and all its images; by tag too where one is given. */
export async function pushManifestList(
  registry: Target,
  list: MadeList,
  repository: string,
  tag?: string,
): Promise<void> {
  await pushImages(
    registry,
    list.images.map((image) => ({ image, repository })),
  );
  await pushManifest(registry, repository, tag ?? list.digest, list);
}
