import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestHex } from '../../oci/digest.ts';
import type { ServedContent, ServedManifest } from '../../oci/server.ts';
import {
  blobsOf,
  type LayerRecipe,
  type MadeImage,
  type MadeList,
  makeImage,
  makeManifestList,
} from './made-image.ts';

const MIB = 1024 * 1024;

/** Layers every image of the release stands on, as real payload images stand on one base. */
const BASE: readonly LayerRecipe[] = [
  { seed: 'base system', sizeBytes: 6 * MIB },
  { seed: 'base libraries', sizeBytes: 2 * MIB },
];

const COMPONENTS = ['machine-config-operator', 'hyperkube', 'etcd', 'pod', 'cluster-bootstrap'] as const;

/** The repositories and what a factory names: everything is made up, and says so in its name. */
export const DEMO_REPOSITORIES = {
  release: 'edgefab-demo/release',
  component: 'edgefab-demo/component',
  tools: 'edgefab-demo/tools',
} as const;

/** A small made-up release on disk, ready to be served. */
export interface MadeRelease {
  readonly content: ServedContent;
  readonly release: Digest;
  readonly components: readonly Digest[];
  /** A manifest list with two architectures, by tag `latest`. */
  readonly toolsTag: string;
}

/**
 * Makes a release image, five components that share two base layers, and a two-architecture tools image, into a
 * folder of blobs. The same call makes the same bytes.
 */
export async function makeDemoRelease(folder: string): Promise<MadeRelease> {
  const component = (name: string, format: 'oci' | 'docker'): Promise<MadeImage> =>
    makeImage({ seed: name, format, layers: [...BASE, { seed: name, sizeBytes: MIB }] });
  const release = await makeImage({
    seed: 'release',
    format: 'docker',
    layers: [...BASE, { seed: 'release', sizeBytes: MIB / 2 }],
  });
  const components = await Promise.all(COMPONENTS.map((name) => component(name, 'docker')));
  const tools = makeManifestList([
    await makeImage({ seed: 'tools', layers: [...BASE, { seed: 'tools', sizeBytes: MIB }] }),
    await makeImage({
      seed: 'tools arm64',
      architecture: 'arm64',
      layers: [{ seed: 'tools arm64', sizeBytes: MIB }],
    }),
  ]);
  const served = new Map<string, ServedManifest>();
  await mkdir(folder, { recursive: true });
  const path = (digest: Digest): string => join(folder, digestHex(digest));
  const addManifest = async (repository: string, made: MadeImage | MadeList, tag?: string): Promise<void> => {
    const { digest, mediaType, manifest } = made;
    await writeFile(path(digest), manifest);
    const entry = { digest, mediaType, path: path(digest), sizeBytes: manifest.length };
    served.set(`${repository} ${digest}`, entry);
    if (tag !== undefined) served.set(`${repository} ${tag}`, entry);
  };
  const sizes = new Map<Digest, number>();
  const addImage = async (repository: string, image: MadeImage): Promise<void> => {
    await addManifest(repository, image);
    for (const { digest, bytes } of blobsOf(image)) {
      if (!sizes.has(digest)) await writeFile(path(digest), bytes);
      sizes.set(digest, bytes.length);
    }
  };
  await addImage(DEMO_REPOSITORIES.release, release);
  for (const image of components) await addImage(DEMO_REPOSITORIES.component, image);
  for (const image of tools.images) await addImage(DEMO_REPOSITORIES.tools, image);
  await addManifest(DEMO_REPOSITORIES.tools, tools, 'latest');
  return {
    content: {
      resolve: async (repository, reference) => served.get(`${repository} ${reference}`),
      blob: async (digest) => {
        const sizeBytes = sizes.get(digest);
        return sizeBytes === undefined ? undefined : { path: path(digest), sizeBytes };
      },
    },
    release: release.digest,
    components: components.map(({ digest }) => digest),
    toolsTag: 'latest',
  };
}
