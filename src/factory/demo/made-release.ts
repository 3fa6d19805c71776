import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Digest, digestHex } from '../../oci/digest.ts';
import {
  type RegistryServer,
  type RegistryServerOptions,
  type ServedManifest,
  startRegistryServer,
} from '../../oci/server.ts';
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

/** Component images by the names scripts ask for them by: what a bootstrap of 4.18 needs, and the node after it. */
const COMPONENTS = [
  'baremetal-runtimecfg',
  'cloud-credential-operator',
  'cluster-bootstrap',
  'cluster-config-api',
  'cluster-config-operator',
  'cluster-etcd-operator',
  'cluster-ingress-operator',
  'cluster-kube-apiserver-operator',
  'cluster-kube-controller-manager-operator',
  'cluster-kube-scheduler-operator',
  'cluster-node-tuning-operator',
  'cluster-policy-controller',
  'etcd',
  'hyperkube',
  'machine-config-operator',
  'pod',
  'rhel-coreos',
] as const;

const VERSION = '4.18.0';

/** Everything is made up, and says so in its name. */
export const DEMO_REPOSITORIES = {
  release: 'edgefab-demo/release',
  component: 'edgefab-demo/component',
  tools: 'edgefab-demo/tools',
  /** Stands in for the distribution image that serves on the machine. */
  registry: 'edgefab-demo/registry',
} as const;

/** A registry on loopback with a small made-up release. */
export interface DemoRegistry {
  readonly server: RegistryServer;
  /** HOST:PORT/…@DIGEST */
  readonly releaseImage: string;
  readonly release: Digest;
  /** HOST:PORT/…:TAG of a manifest list with two architectures. */
  readonly toolsImage: string;
  /** HOST:PORT/…:TAG */
  readonly registryImage: string;
}

export interface DemoRegistryOptions extends Omit<RegistryServerOptions, 'content'> {
  /** Of the made-up release; 4.18.0 unless given. */
  readonly version?: string;
}

interface Shelf {
  addManifest(repository: string, made: MadeImage | MadeList, tag?: string): Promise<void>;
  addImage(repository: string, image: MadeImage): Promise<void>;
}

/**
 * Starts a registry with a release payload, its components, which share two base layers, and a tools image of two
 * architectures. Blobs are files in `folder`. The same port gives the same bytes.
 */
export async function startDemoRegistry(
  folder: string,
  { version = VERSION, ...options }: DemoRegistryOptions = {},
): Promise<DemoRegistry> {
  await mkdir(folder, { recursive: true });
  const path = (digest: Digest): string => join(folder, digestHex(digest));
  const served = new Map<string, ServedManifest>();
  const sizes = new Map<Digest, number>();
  const shelf: Shelf = {
    addManifest: async (repository, { digest, mediaType, manifest }, tag) => {
      await writeFile(path(digest), manifest);
      const entry = { digest, mediaType, path: path(digest), sizeBytes: manifest.length };
      served.set(`${repository} ${digest}`, entry);
      if (tag !== undefined) served.set(`${repository} ${tag}`, entry);
    },
    addImage: async (repository, image) => {
      await shelf.addManifest(repository, image);
      for (const { digest, bytes } of blobsOf(image)) {
        if (!sizes.has(digest)) await writeFile(path(digest), bytes);
        sizes.set(digest, bytes.length);
      }
    },
  };
  const server = await startRegistryServer({
    ...options,
    content: {
      resolve: async (repository, reference) => served.get(`${repository} ${reference}`),
      blob: async (digest) => {
        const sizeBytes = sizes.get(digest);
        return sizeBytes === undefined ? undefined : { path: path(digest), sizeBytes };
      },
    },
  });
  // The payload names its components by this server's address, which is known only now.
  const release = await fillShelf(shelf, server.host, version);
  return {
    server,
    release,
    releaseImage: `${server.host}/${DEMO_REPOSITORIES.release}@${release}`,
    toolsImage: `${server.host}/${DEMO_REPOSITORIES.tools}:latest`,
    registryImage: `${server.host}/${DEMO_REPOSITORIES.registry}:2`,
  };
}

async function fillShelf(shelf: Shelf, host: string, version: string): Promise<Digest> {
  const tags: object[] = [];
  for (const name of COMPONENTS) {
    const image = await makeImage({
      seed: name,
      format: 'docker',
      layers: [...BASE, { seed: name, sizeBytes: MIB / 2 }],
    });
    await shelf.addImage(DEMO_REPOSITORIES.component, image);
    tags.push({
      name,
      from: { kind: 'DockerImage', name: `${host}/${DEMO_REPOSITORIES.component}@${image.digest}` },
    });
  }
  const release = await makeImage({
    seed: 'release',
    format: 'docker',
    layers: [...BASE, { seed: 'release', sizeBytes: MIB / 2 }],
    files: {
      'release-manifests/image-references': JSON.stringify({
        kind: 'ImageStream',
        apiVersion: 'image.openshift.io/v1',
        metadata: { name: version },
        spec: { tags },
      }),
      'release-manifests/release-metadata': JSON.stringify({
        kind: 'cincinnati-metadata-v0',
        version,
        previous: [],
      }),
    },
  });
  await shelf.addImage(DEMO_REPOSITORIES.release, release);
  const tools = makeManifestList([
    await makeImage({ seed: 'tools', layers: [...BASE, { seed: 'tools', sizeBytes: MIB }] }),
    await makeImage({
      seed: 'tools arm64',
      architecture: 'arm64',
      layers: [{ seed: 'tools arm64', sizeBytes: MIB }],
    }),
  ]);
  for (const image of tools.images) await shelf.addImage(DEMO_REPOSITORIES.tools, image);
  await shelf.addManifest(DEMO_REPOSITORIES.tools, tools, 'latest');
  const registry = await makeImage({ seed: 'registry', layers: [{ seed: 'registry', sizeBytes: MIB }] });
  await shelf.addImage(DEMO_REPOSITORIES.registry, registry);
  await shelf.addManifest(DEMO_REPOSITORIES.registry, registry, '2');
  return release.digest;
}
