import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { startDockerRegistry } from '../support/docker-registry.ts';
import { type FakeServer, startFakeServer } from '../support/fake-server.ts';
import { type WorldImage, worldImage } from '../support/world-image.ts';
import { catalogImage, writeCatalogLayer } from './catalog-layer.ts';
import { PACKAGE_IMAGES, packageName } from './made-catalog.ts';
import { pushBlob, pushManifest } from './push-image.ts';
import { type ReleaseSignature, signRelease } from './release-signature.ts';

const VERSION = '4.18.9';
export const CHANNEL = 'stable-4.18';

/** As many images as a payload of that version names. */
const COMPONENTS = 190;
const ADDITIONAL = 4;

export interface ResolveWorld {
  /** HOST:PORT of the registry, plain http. */
  readonly registry: string;
  readonly graphUrl: string;
  readonly signatureUrl: string;
  /** Path of the public key that signed the release. */
  readonly keyring: string;
  readonly catalog: string;
  readonly additional: readonly string[];
  readonly packages: readonly string[];
  readonly unpackedBytes: number;
  readonly packedBytes: number;
  close(): Promise<void>;
}

async function pushImage(host: string, repository: string, image: WorldImage, tag?: string): Promise<void> {
  for (const bytes of image.blobs)
    await pushBlob(host, repository, { digest: digestOf(bytes), sizeBytes: bytes.length, from: bytes });
  await pushManifest(host, repository, tag ?? image.digest, image);
}

/** A release as `oc adm release new` makes it: image-references and release-metadata in one layer. */
function releaseImage(
  components: readonly { readonly name: string; readonly reference: string }[],
): WorldImage {
  const tags = components.map(({ name, reference }) => ({
    name,
    annotations: { 'io.openshift.build.source-location': `https://example.test/${name}` },
    from: { kind: 'DockerImage', name: reference },
  }));
  const references = {
    kind: 'ImageStream',
    apiVersion: 'image.openshift.io/v1',
    metadata: { name: VERSION },
    spec: { lookupPolicy: { local: false }, tags },
  };
  const metadata = { kind: 'cincinnati-metadata-v0', version: VERSION, previous: [], metadata: {} };
  const files = new Map([
    ['release-manifests/image-references', JSON.stringify(references)],
    ['release-manifests/release-metadata', JSON.stringify(metadata)],
  ]);
  return worldImage(files, 'amd64', { 'io.openshift.release': VERSION });
}

/** Serves the update graph, whatever is asked, and the release's signature. */
function serveGraph(payload: string, digest: Digest, { message }: ReleaseSignature): Promise<FakeServer> {
  const metadata = { 'io.openshift.upgrades.graph.release.channels': CHANNEL };
  const nodes = [{ version: VERSION, payload, metadata }];
  const graph = JSON.stringify({ version: 1, nodes, edges: [], conditionalEdges: [] });
  const signature = `/signatures/${digest.replace(':', '=')}/signature-1`;
  return startFakeServer(({ url = '' }, response) => {
    if (url.startsWith('/graph')) response.writeHead(200, { 'content-type': 'application/json' }).end(graph);
    else if (url === signature) response.writeHead(200).end(message);
    else response.writeHead(404).end();
  });
}

/** Makes a catalog, a release and some images of that seed and size, and serves them on loopback. */
export async function startResolveWorld(options: {
  readonly seed: string;
  readonly unpackedBytes: number;
}): Promise<ResolveWorld> {
  const folder = await mkdtemp(join(tmpdir(), 'edgefab-bench-'));
  const registry = await startDockerRegistry({ isMeasured: true });
  const { host } = registry;
  const limit = pLimit(8);
  const small = (name: string): WorldImage => worldImage(new Map([['name', `${name}\n`]]), 'amd64');
  const pushAll = (work: readonly (() => Promise<void>)[]) => Promise.all(work.map((each) => limit(each)));

  const shared = Array.from({ length: PACKAGE_IMAGES }, (_, at) => small(`${options.seed} image ${at}`));
  const layerFile = join(folder, 'layer');
  const layer = await writeCatalogLayer({
    ...options,
    image: (at, number) => `${host}/bench/${packageName(at)}@${shared[number]?.digest}`,
    file: layerFile,
  });
  const packages = Array.from({ length: layer.packages }, (_, at) => packageName(at));
  await pushAll(
    packages.flatMap((name) => shared.map((image) => () => pushImage(host, `bench/${name}`, image))),
  );
  const catalog = catalogImage(layer);
  const { config } = catalog;
  await pushBlob(host, 'bench/catalog', layer.blob);
  await pushBlob(host, 'bench/catalog', {
    digest: digestOf(config),
    sizeBytes: config.length,
    from: config,
  });
  await pushManifest(host, 'bench/catalog', 'v1', catalog);

  const components = Array.from({ length: COMPONENTS }, (_, at) => {
    const name = `component-${at}`;
    const image = small(`${options.seed} ${name}`);
    return { name, image, reference: `${host}/ocp/content@${image.digest}` };
  });
  await pushAll(
    components.map(
      ({ image }) =>
        () =>
          pushImage(host, 'ocp/content', image),
    ),
  );
  const release = releaseImage(components);
  const tag = `${VERSION}-x86_64`;
  await pushImage(host, 'ocp/release', release, tag);
  const extra = Array.from({ length: ADDITIONAL }, (_, at) => small(`${options.seed} additional ${at}`));
  await pushAll(extra.map((image, at) => () => pushImage(host, `bench/additional-${at}`, image, 'v1')));
  const signature = await signRelease(release.digest, `${host}/ocp/release:${tag}`);
  const keyring = join(folder, 'release.asc');
  await writeFile(keyring, signature.key);
  const graph = await serveGraph(`${host}/ocp/release@${release.digest}`, release.digest, signature);
  await rm(layerFile);
  return {
    registry: host,
    graphUrl: `${graph.url}/graph`,
    signatureUrl: `${graph.url}/signatures/`,
    keyring,
    catalog: `${host}/bench/catalog:v1`,
    additional: extra.map((_, at) => `${host}/bench/additional-${at}:v1`),
    packages,
    unpackedBytes: layer.unpackedBytes,
    packedBytes: layer.blob.sizeBytes,
    close: async () => {
      await graph.close();
      await registry.close();
      await rm(folder, { recursive: true });
    },
  };
}
