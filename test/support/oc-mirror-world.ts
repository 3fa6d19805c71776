import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod/v4';
import type { PlatformType } from '../../src/mirror/resolve/graph/fetch-graph.ts';
import { type Graph, parseGraph } from '../../src/mirror/resolve/graph/graph.ts';
import { type Digest, digestHex, digestOf } from '../../src/oci/digest.ts';
import { type RegistryServer, type ServedManifest, startRegistryServer } from '../../src/oci/server.ts';
import { type WorldImage, type WorldManifest, worldImage, worldList } from './world-image.ts';

export const OC_MIRROR_FOLDER = join(import.meta.dirname, '../fixtures/oc-mirror');

const indexed = z.strictObject({ key: z.string(), index: z.array(z.string()) });
const source = z.union([z.strictObject({ from: z.string() }), z.strictObject({ text: z.string() })]);
const labels = z.record(z.string(), z.string()).optional();
const built = z.strictObject({
  key: z.string(),
  arch: z.string().optional(),
  labels,
  files: z.record(z.string(), source),
});
const worldFile = z.object({
  leaf: z.array(z.string()),
  indexes: z.array(indexed),
  images: z.array(z.union([indexed, built])),
  real: z.array(z.strictObject({ key: z.string(), labels, fixtures: z.record(z.string(), z.string()) })),
});

/** The images of the made-up registry by `repo:tag`, in building order, and how texts name them. */
export interface MadeWorld {
  readonly manifests: ReadonlyMap<string, WorldManifest | WorldImage>;
  /** Puts the registry's name and the images' digests in the place of the tokens `REGISTRY` and `@{repo:tag}`. */
  expand(text: string): string;
}

function architectureIn(key: string): string {
  return /-(arm64|aarch64)/.test(key) ? 'arm64' : 'amd64';
}

/**
 * Makes every image of the world for a registry of that name (HOST:PORT); the images of real catalogs only when
 * there is a folder of fixtures. The digests depend on the name: catalogs and payloads hold references.
 */
export async function makeOcMirrorWorld(registry: string, fixtures?: string): Promise<MadeWorld> {
  const world = worldFile.parse(JSON.parse(await readFile(join(OC_MIRROR_FOLDER, 'world.json'), 'utf8')));
  const manifests = new Map<string, WorldManifest | WorldImage>();
  const made = (key: string): WorldManifest => {
    const manifest = manifests.get(key);
    if (manifest === undefined) throw new RangeError(`the world has no image ${key} (yet)`);
    return manifest;
  };
  const expand = (text: string): string =>
    text
      .replaceAll('REGISTRY', registry)
      .replace(/@\{([^{}\s]+)\}/g, (_, key: string) => `@${made(key).digest}`);
  for (const key of world.leaf)
    manifests.set(key, worldImage(new Map([['name', `${key}\n`]]), architectureIn(key)));
  for (const item of [...world.indexes, ...world.images]) {
    if ('index' in item) {
      manifests.set(item.key, worldList(item.index.map(made)));
      continue;
    }
    const files = new Map<string, string>();
    for (const [path, from] of Object.entries(item.files)) {
      const text = 'text' in from ? from.text : await readFile(join(OC_MIRROR_FOLDER, from.from), 'utf8');
      files.set(path, expand(text));
    }
    manifests.set(item.key, worldImage(files, item.arch ?? 'amd64', item.labels));
  }
  for (const item of fixtures === undefined ? [] : world.real) {
    const files = new Map<string, string>();
    for (const [path, file] of Object.entries(item.fixtures))
      files.set(path, await readFile(join(fixtures ?? '', file), 'utf8'));
    manifests.set(item.key, worldImage(files, 'amd64', item.labels));
  }
  return { manifests, expand };
}

export interface ServedWorld extends MadeWorld {
  /** HOST:PORT */
  readonly registry: string;
  /** The update graph as the world's graph service answers; no releases for a channel it does not know. */
  graph(channel: string, type: PlatformType, arch: string): Promise<Graph>;
  /** How many manifests the registry was asked for until now, those it does not have too. */
  manifestsAsked(): number;
  close(): Promise<void>;
}

/** Serves the world's images from files in `folder` over plain http on loopback. */
export async function serveOcMirrorWorld(folder: string, fixtures?: string): Promise<ServedWorld> {
  const manifests = new Map<string, ServedManifest>();
  const blobs = new Map<Digest, { path: string; sizeBytes: number }>();
  // The images name the registry, so its port must be known before they are made.
  let manifestsAsked = 0;
  const server: RegistryServer = await startRegistryServer({
    content: {
      resolve: async (repository, reference) => {
        manifestsAsked++;
        return manifests.get(`${repository} ${reference}`);
      },
      blob: async (digest) => blobs.get(digest),
    },
  });
  const store = async (bytes: Buffer): Promise<{ path: string; sizeBytes: number }> => {
    const path = join(folder, digestHex(digestOf(bytes)));
    await writeFile(path, bytes);
    return { path, sizeBytes: bytes.length };
  };
  const world = await makeOcMirrorWorld(server.host, fixtures);
  for (const [key, image] of world.manifests) {
    const [repository = '', tag = ''] = key.split(':');
    const { digest, mediaType } = image;
    const served = { digest, mediaType, ...(await store(image.bytes)) };
    manifests.set(`${repository} ${tag}`, served).set(`${repository} ${digest}`, served);
    for (const blob of 'blobs' in image ? image.blobs : []) blobs.set(digestOf(blob), await store(blob));
  }
  return {
    ...world,
    registry: server.host,
    graph: async (channel, type, arch) => {
      const name = type === 'okd' ? 'okd.json' : `${arch}-${channel}.json`;
      const text = await readFile(join(OC_MIRROR_FOLDER, 'graph', name), 'utf8').catch(
        () => '{"version":1,"nodes":[],"edges":[]}',
      );
      return parseGraph(Buffer.from(world.expand(text)), name);
    },
    manifestsAsked: () => manifestsAsked,
    close: () => server.close(),
  };
}
