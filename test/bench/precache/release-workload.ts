import { createCipheriv, createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import pLimit from 'p-limit';
import { pack } from 'tar-stream';
import { type Digest, digestOf } from '../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../src/oci/manifest.ts';

/**
 * A made-up release shaped like a real one: images that share base layers, most of them in one repository by digest,
 * some in repositories of their own by tag, some of those lists of four architectures. Sizes are packed megabytes of
 * real releases times `scale`; the same scale gives the same bytes everywhere.
 */
interface LayerRecipe {
  readonly name: string;
  readonly packedBytes: number;
  readonly files: number;
}

interface ImageRecipe {
  readonly name: string;
  readonly repository: string;
  /** Pushed by digest alone when not given. */
  readonly tag?: string;
  readonly format: 'docker' | 'oci';
  readonly architectures: readonly string[];
  readonly layers: (architecture: string) => readonly LayerRecipe[];
}

const RELEASE_REPOSITORY = 'openshift-release-dev/ocp-v4.0-art-dev';
const FOUR = ['amd64', 'arm64', 'ppc64le', 's390x'];
/** Packed to unpacked: half of every layer is random, half text. */
const UNPACKED_RATIO = 1.38;

/** A number in [0, 1) that depends on the words only. */
function fraction(...words: readonly (string | number)[]): number {
  return createHash('sha256').update(words.join(' ')).digest().readUInt32BE() / 2 ** 32;
}

/** The recipe of 64 images, five of them lists of four. */
function releaseRecipe(scale: number): ImageRecipe[] {
  const layer = (name: string, megabytes: number, files: number): LayerRecipe => ({
    name,
    packedBytes: Math.round(megabytes * scale * 1e6),
    files,
  });
  return Array.from({ length: 64 }, (_, at): ImageRecipe => {
    const inRelease = at < 42;
    const name = inRelease ? `component-${at}` : `operator-${at}`;
    const own = (architecture: string): LayerRecipe[] =>
      Array.from({ length: 1 + Math.floor(fraction('layers', at) * 3) }, (__, number) => {
        const megabytes = 10 * 15 ** fraction('size', at, number, architecture);
        return layer(`${name} ${architecture} ${number}`, megabytes, 41);
      });
    return {
      name,
      repository: inRelease ? RELEASE_REPOSITORY : `operators/${name}`,
      ...(inRelease ? {} : { tag: 'v1.0.0' }),
      format: !inRelease && at % 3 === 0 ? 'oci' : 'docker',
      architectures: at >= 59 ? FOUR : ['amd64'],
      layers: (architecture) => [
        layer(`rhel ${architecture}`, 80, 1200),
        layer(`openshift ${architecture}`, 85, 500),
        ...(inRelease && at % 9 === 0 ? [layer(`middle ${architecture}`, 45, 200)] : []),
        ...own(architecture),
      ],
    };
  });
}

const WORDS = Array.from({ length: 4096 }, (_, at) =>
  createHash('sha256')
    .update(`word ${at}`)
    .digest('base64url')
    .slice(0, 3 + (at % 9)),
);

/** Text that packs to about 45 %: words in an order that depends on the seed. */
function textBytes(seed: string, size: number): Buffer {
  const order = randomBytes(`text ${seed}`, Math.ceil(size / 3) * 2);
  const out = Buffer.alloc(size);
  let length = 0;
  for (let at = 0; length < size; at += 2) {
    length += out.write(`${WORDS[order.readUInt16LE(at % (order.length - 1)) & 4095]} `, length, 'latin1');
  }
  return out;
}

function randomBytes(seed: string, size: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-128-ctr', key.subarray(0, 16), key.subarray(16)).update(Buffer.alloc(size));
}

interface MadeLayer {
  readonly digest: Digest;
  readonly diffId: Digest;
  readonly sizeBytes: number;
}

/** Packs a layer as a real tar: many small text files, and random bytes in a few large ones. */
async function makeLayer(recipe: LayerRecipe): Promise<{ bytes: Buffer; diffId: Digest }> {
  const unpacked = Math.round(recipe.packedBytes * UNPACKED_RATIO);
  const half = Math.floor(unpacked / 2);
  const text = textBytes(recipe.name, half);
  const random = randomBytes(recipe.name, unpacked - half);
  const tar = pack();
  const folder = recipe.name.replaceAll(' ', '-');
  const each = Math.ceil(half / recipe.files);
  for (let at = 0; at < recipe.files; at += 1) {
    const content = text.subarray(at * each, (at + 1) * each);
    tar.entry({ name: `usr/share/${folder}/file-${at}`, mtime: new Date(0) }, content);
  }
  tar.entry({ name: `usr/bin/${folder}`, mode: 0o755, mtime: new Date(0) }, random);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  const bytes = Buffer.concat(chunks);
  return { bytes: await promisify(gzip)(bytes, { level: 6 }), diffId: digestOf(bytes) };
}

async function request(url: string, init: RequestInit, wanted: number): Promise<Response> {
  const answer = await fetch(url, init);
  if (answer.status !== wanted) {
    throw new Error(`${init.method} ${url}: HTTP ${answer.status} ${await answer.text()}`);
  }
  return answer;
}

async function pushBlob(base: string, repository: string, bytes: Buffer, digest: Digest): Promise<void> {
  const started = await request(`${base}/v2/${repository}/blobs/uploads/`, { method: 'POST' }, 202);
  const at = new URL(started.headers.get('location') ?? '', base);
  at.searchParams.set('digest', digest);
  await request(
    at.href,
    {
      method: 'PUT',
      body: new Uint8Array(bytes),
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(bytes.length) },
    },
    201,
  );
}

const TYPES = {
  docker: {
    manifest: MEDIA_TYPE.dockerManifest,
    list: MEDIA_TYPE.dockerList,
    config: 'application/vnd.docker.container.image.v1+json',
    layer: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
  },
  oci: {
    manifest: MEDIA_TYPE.ociManifest,
    list: MEDIA_TYPE.ociIndex,
    config: 'application/vnd.oci.image.config.v1+json',
    layer: 'application/vnd.oci.image.layer.v1.tar+gzip',
  },
} as const;

export interface PushedImage {
  /** REPOSITORY:TAG or REPOSITORY@DIGEST, the registry's name not said. */
  readonly reference: string;
  readonly bytesAllArchitectures: number;
}

export interface PushedRelease {
  readonly images: readonly PushedImage[];
  readonly architectureImages: number;
  readonly uniqueBlobs: number;
  /** Packed bytes: each blob once; and as a tool that copies image by image fetches them. */
  readonly uniqueBytes: number;
  readonly duplicateBytes: number;
  readonly amd64UniqueBytes: number;
  readonly amd64DuplicateBytes: number;
  readonly amd64Blobs: readonly {
    readonly repository: string;
    readonly digest: Digest;
    readonly sizeBytes: number;
  }[];
}

/** Makes and pushes the release straight into a plain-http registry. Takes about a minute at scale 0.18 on two cores. */
export async function pushRelease(base: string, scale: number): Promise<PushedRelease> {
  const limit = pLimit(3);
  const layers = new Map<string, Promise<MadeLayer & { home: string }>>();
  const makeOnce = (recipe: LayerRecipe, repository: string): Promise<MadeLayer & { home: string }> => {
    const known = layers.get(recipe.name);
    if (known !== undefined) return known;
    const made = limit(async () => {
      const { bytes, diffId } = await makeLayer(recipe);
      const digest = digestOf(bytes);
      await pushBlob(base, repository, bytes, digest);
      return { digest, diffId, sizeBytes: bytes.length, home: repository };
    });
    layers.set(recipe.name, made);
    return made;
  };
  const blobs = new Map<Digest, { sizeBytes: number; amd64: boolean; repository: string }>();
  const images: PushedImage[] = [];
  let duplicateBytes = 0;
  let amd64DuplicateBytes = 0;
  let architectureImages = 0;
  const pushImage = async (image: ImageRecipe) => {
    const types = TYPES[image.format];
    const put = async (reference: string, mediaType: string, body: string): Promise<void> => {
      const url = `${base}/v2/${image.repository}/manifests/${reference}`;
      await request(url, { method: 'PUT', body, headers: { 'content-type': mediaType } }, 201);
    };
    const children: { digest: Digest; size: number; architecture: string }[] = [];
    let bytesOfImage = 0;
    for (const architecture of image.architectures) {
      const made = await Promise.all(
        image.layers(architecture).map((recipe) => makeOnce(recipe, image.repository)),
      );
      for (const layer of made) {
        if (layer.home === image.repository) continue;
        const query = new URLSearchParams({ mount: layer.digest, from: layer.home });
        const url = `${base}/v2/${image.repository}/blobs/uploads/?${query}`;
        await request(url, { method: 'POST' }, 201);
      }
      const config = Buffer.from(
        JSON.stringify({
          architecture,
          os: 'linux',
          config: { Labels: { name: image.name } },
          rootfs: { type: 'layers', diff_ids: made.map(({ diffId }) => diffId) },
          history: made.map((_, at) => ({ created: '1970-01-01T00:00:00Z', created_by: `layer ${at}` })),
        }),
      );
      await pushBlob(base, image.repository, config, digestOf(config));
      const parts = [
        { digest: digestOf(config), sizeBytes: config.length },
        ...made.map(({ digest, sizeBytes }) => ({ digest, sizeBytes })),
      ];
      const isAmd64 = architecture === 'amd64';
      for (const { digest, sizeBytes } of parts) {
        const amd64 = isAmd64 || blobs.get(digest)?.amd64 === true;
        blobs.set(digest, { sizeBytes, amd64, repository: image.repository });
        bytesOfImage += sizeBytes;
        if (isAmd64) amd64DuplicateBytes += sizeBytes;
      }
      const manifest = JSON.stringify({
        schemaVersion: 2,
        mediaType: types.manifest,
        config: { mediaType: types.config, digest: digestOf(config), size: config.length },
        layers: made.map(({ digest, sizeBytes }) => ({ mediaType: types.layer, digest, size: sizeBytes })),
      });
      const digest = digestOf(Buffer.from(manifest));
      await put(digest, types.manifest, manifest);
      children.push({ digest, size: manifest.length, architecture });
      architectureImages += 1;
    }
    const [first] = children;
    if (first === undefined) throw new RangeError('an image has one architecture at least');
    let top = first.digest;
    if (children.length > 1) {
      const list = JSON.stringify({
        schemaVersion: 2,
        mediaType: types.list,
        manifests: children.map(({ digest, size, architecture }) => ({
          mediaType: types.manifest,
          digest,
          size,
          platform: { os: 'linux', architecture },
        })),
      });
      top = digestOf(Buffer.from(list));
      await put(image.tag ?? top, types.list, list);
    } else if (image.tag !== undefined) {
      const url = `${base}/v2/${image.repository}/manifests/${top}`;
      const manifest = await (
        await request(url, { method: 'GET', headers: { accept: types.manifest } }, 200)
      ).text();
      await put(image.tag, types.manifest, manifest);
    }
    duplicateBytes += bytesOfImage;
    const suffix = image.tag === undefined ? `@${top}` : `:${image.tag}`;
    images.push({ reference: `${image.repository}${suffix}`, bytesAllArchitectures: bytesOfImage });
  };
  const recipes = releaseRecipe(scale);
  // Layers are made ahead, while one image after the other is pushed in order.
  const ahead = recipes.flatMap((image) =>
    image.architectures.flatMap((architecture) =>
      image.layers(architecture).map((layer) => makeOnce(layer, image.repository)),
    ),
  );
  for (const image of recipes) await pushImage(image);
  await Promise.all(ahead);
  const all = [...blobs];
  const sum = (list: typeof all): number => list.reduce((total, [, { sizeBytes }]) => total + sizeBytes, 0);
  const amd64 = all.filter(([, blob]) => blob.amd64);
  return {
    images,
    architectureImages,
    uniqueBlobs: blobs.size,
    uniqueBytes: sum(all),
    duplicateBytes,
    amd64UniqueBytes: sum(amd64),
    amd64DuplicateBytes,
    amd64Blobs: amd64.map(([digest, { sizeBytes, repository }]) => ({ digest, sizeBytes, repository })),
  };
}
