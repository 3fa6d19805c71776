import { generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Digest, digestHex } from '../../src/oci/digest.ts';
import { type ServedManifest, startRegistryServer } from '../../src/oci/server.ts';
import { cachedSignature } from './cosign-signature.ts';
import { distributionImage } from './distribution-image.ts';
import { blobsOf, type MadeImage, type MadeList, makeManifestList } from './made-image.ts';
import { programFiles } from './program-layer.ts';
import { makeRunnableImage } from './runnable-image.ts';

const RELEASE_REPOSITORY = 'quay.io/openshift-release-dev/ocp-release';
const COMPONENT_REPOSITORY = 'quay.io/openshift-release-dev/ocp-v4.0-art-dev';
export const TOOL_IMAGE = 'docker.io/library/registry:2.8.3';

/** A made-up release under the names of the real one, served on loopback. */
export interface QuayRelease {
  /** By the digest of its list. */
  readonly image: string;
  /** The same by the digest of the list's child for this machine. */
  readonly childImage: string;
  /** Each component by its name in the payload. */
  readonly components: ReadonlyMap<string, string>;
  /** PEM of the key that signed list and child. */
  readonly publicKey: string;
  /** Has edgefab, podman and skopeo ask the made-up registry when they mean quay.io or docker.io. */
  readonly registriesConf: string;
  close(): Promise<void>;
}

/** Stands in for what a real release runs: `image NAME` prints the component's reference; `render` ends well and writes nothing. */
const OPERATOR = `#!/bin/sh
case " $* " in *' render '*) exit 0 ;; esac
[ "$1" = image ] || exit 2
while read -r name reference; do
  [ "$name" = "$2" ] || continue
  echo "$reference"
  exit 0
done </release-manifests/images
exit 1
`;

/** Serves a release of the components named, each a program that ends well, with signatures by tag. */
export async function startQuayRelease(
  folder: string,
  version: string,
  names: readonly string[],
): Promise<QuayRelease> {
  const served = new Map<string, ServedManifest>();
  const blobs = new Map<Digest, { path: string; sizeBytes: number }>();
  const path = (digest: Digest): string => join(folder, digestHex(digest));
  const addManifest = (name: string, made: MadeImage | MadeList, tag?: string): void => {
    const { digest, mediaType, manifest } = made;
    writeFileSync(path(digest), manifest);
    const repository = name.slice(name.indexOf('/') + 1);
    const entry = { digest, mediaType, path: path(digest), sizeBytes: manifest.length };
    served.set(`${repository} ${digest}`, entry);
    if (tag !== undefined) served.set(`${repository} ${tag}`, entry);
  };
  const addImage = (name: string, image: MadeImage, tag?: string): void => {
    addManifest(name, image, tag);
    for (const { digest, bytes } of blobsOf(image)) {
      if (!blobs.has(digest)) writeFileSync(path(digest), bytes);
      blobs.set(digest, { path: path(digest), sizeBytes: bytes.length });
    }
  };

  const base = programFiles('bin/sh', '/bin/dash');
  const components = new Map<string, string>();
  for (const name of names) {
    const image = await makeRunnableImage({
      layers: [base, { 'etc/component': name }],
      config: { Entrypoint: ['/bin/sh', '-c', `echo "${name} ran"`] },
    });
    addImage(COMPONENT_REPOSITORY, image);
    components.set(name, `${COMPONENT_REPOSITORY}@${image.digest}`);
  }
  const tags = [...components].map(([name, reference]) => ({
    name,
    from: { kind: 'DockerImage', name: reference },
  }));
  const child = await makeRunnableImage({
    layers: [
      base,
      {
        'usr/bin/cluster-version-operator': OPERATOR,
        'release-manifests/images': [...components].map((pair) => `${pair.join(' ')}\n`).join(''),
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
    ],
    config: { Entrypoint: ['/usr/bin/cluster-version-operator'] },
  });
  addImage(RELEASE_REPOSITORY, child);
  const list = makeManifestList([child]);
  addManifest(RELEASE_REPOSITORY, list);
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  for (const { digest: subject } of [list, child]) {
    const { image, tag } = cachedSignature({ key: privateKey, source: RELEASE_REPOSITORY, subject });
    if (!('images' in image)) addImage(RELEASE_REPOSITORY, image, tag);
  }
  addImage('docker.io/library/registry', await distributionImage(), '2.8.3');

  const server = await startRegistryServer({
    content: {
      resolve: async (repository, reference) => served.get(`${repository} ${reference}`),
      blob: async (digest) => blobs.get(digest),
    },
  });
  return {
    image: `${RELEASE_REPOSITORY}@${list.digest}`,
    childImage: `${RELEASE_REPOSITORY}@${child.digest}`,
    components,
    publicKey: String(publicKey.export({ type: 'spki', format: 'pem' })),
    registriesConf: ['quay.io', 'docker.io']
      .map((prefix) => `[[registry]]\nprefix = "${prefix}"\nlocation = "${server.host}"\ninsecure = true\n`)
      .join(''),
    close: () => server.close(),
  };
}
