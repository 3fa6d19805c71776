import { Readable } from 'node:stream';
import { compareReleaseVersions, parseReleaseVersion } from '../../src/formats/release-version.ts';
import { type Graph, parseGraph } from '../../src/mirror/resolve/graph/graph.ts';
import type { BlobOpener, ManifestSource } from '../../src/mirror/resolve/payload/content-sources.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';
import { formatReference, type ImageReference } from '../../src/oci/reference.ts';
import { documentsOf, type MadeUpPackage } from '../mirror/resolve/catalog/made-up-catalog.ts';
import { type WorldImage, worldImage } from './world-image.ts';

const CONFIGS_LABEL = 'operators.operatorframework.io.index.configs.v1';

/** Components every made-up release has. */
export const COMPONENTS = ['cluster-bootstrap', 'etcd', 'machine-config-operator', 'pod', 'rhel-coreos'];

/** What public registries and update services would answer, made up: releases by version, catalogs by image. */
export interface MadePublicWorld extends ManifestSource, BlobOpener {
  readonly graph: (channel: string) => Promise<Graph>;
}

function leaf(name: string): WorldImage {
  return worldImage(new Map([['name', `${name}\n`]]), 'amd64');
}

function componentOf(version: string, name: string): string {
  return `quay.io/made/content@${leaf(`${version} ${name}`).digest}`;
}

function release(version: string): WorldImage {
  const tags = COMPONENTS.map((name) => ({
    name,
    from: { kind: 'DockerImage', name: componentOf(version, name) },
  }));
  const references = { kind: 'ImageStream', apiVersion: 'image.openshift.io/v1', spec: { tags } };
  const metadata = { kind: 'cincinnati-metadata-v0', version, previous: [] };
  return worldImage(
    new Map([
      ['release-manifests/image-references', JSON.stringify({ metadata: { name: version }, ...references })],
      ['release-manifests/release-metadata', JSON.stringify(metadata)],
    ]),
    'amd64',
    { 'io.openshift.release': version },
  );
}

function catalog(packages: Readonly<Record<string, MadeUpPackage>>): WorldImage {
  const files = Object.entries(packages).map(([name, made]): [string, string] => [
    `configs/${name}/catalog.json`,
    documentsOf(name, made)
      .map((item) => JSON.stringify(item))
      .join('\n'),
  ]);
  return worldImage(new Map(files), 'amd64', { [CONFIGS_LABEL]: '/configs' });
}

/** Makes the double; each channel has its releases in one line of updates. Any image asked for by tag is there. */
export function makePublicWorld(
  channels: Readonly<Record<string, readonly string[]>>,
  catalogs: Readonly<Record<string, Readonly<Record<string, MadeUpPackage>>>>,
): MadePublicWorld {
  const images = new Map<string, WorldImage>();
  const blobs = new Map<Digest, Buffer>();
  const add = (name: string, image: WorldImage): WorldImage => {
    images.set(name, image);
    for (const blob of image.blobs) blobs.set(digestOf(blob), blob);
    return image;
  };
  const payloads = new Map<string, string>();
  for (const version of new Set(Object.values(channels).flat())) {
    const image = release(version);
    const name = `quay.io/made/release@${image.digest}`;
    add(name, image);
    payloads.set(version, name);
    for (const component of COMPONENTS) add(componentOf(version, component), leaf(`${version} ${component}`));
  }
  for (const [image, packages] of Object.entries(catalogs)) add(image, catalog(packages));
  return {
    getManifest: async (reference: ImageReference) => {
      const name = formatReference(reference);
      const known = images.get(name);
      if (known === undefined && reference.digest !== undefined) throw new Error(`nobody made ${name}`);
      return known ?? add(name, leaf(name));
    },
    openBlob: async (_repository, digest) => {
      const bytes = blobs.get(digest);
      if (bytes === undefined) throw new Error(`nobody made ${digest}`);
      return { stream: Readable.from([bytes]), sizeBytes: bytes.length };
    },
    graph: async (channel) => {
      const versions = (channels[channel] ?? []).toSorted((a, b) => {
        const [left, right] = [parseReleaseVersion(a), parseReleaseVersion(b)];
        return left === undefined || right === undefined ? 0 : compareReleaseVersions(left, right);
      });
      const nodes = versions.map((version) => ({ version, payload: payloads.get(version), metadata: {} }));
      const edges = versions.slice(1).map((_, at) => [at, at + 1]);
      return parseGraph(Buffer.from(JSON.stringify({ version: 1, nodes, edges })), channel);
    },
  };
}
