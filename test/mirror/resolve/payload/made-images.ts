import { Readable } from 'node:stream';
import { gzipSync } from 'node:zlib';
import { pack } from 'tar-stream';
import { EdgefabError } from '../../../../src/errors.ts';
import { type Digest, digestOf } from '../../../../src/oci/digest.ts';
import { MEDIA_TYPE } from '../../../../src/oci/manifest.ts';
import {
  formatReference,
  type ImageReference,
  parseReference,
  repositoryOf,
} from '../../../../src/oci/reference.ts';

export interface TarEntry {
  readonly name: string;
  readonly type?: 'file' | 'directory' | 'symlink' | 'link';
  readonly linkname?: string;
  readonly content?: string | Uint8Array;
}

/** Packs real tar bytes. */
async function tarOf(entries: readonly TarEntry[]): Promise<Buffer> {
  const tar = pack();
  for (const { name, type = 'file', linkname, content = '' } of entries) {
    const header = { name, type, ...(linkname === undefined ? {} : { linkname }) };
    if (type === 'file') tar.entry(header, Buffer.from(content));
    else tar.entry(header);
  }
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const TAGS = ['cluster-bootstrap', 'etcd', 'machine-config-operator', 'pod', 'rhel-coreos'];

/** Content of image-references for some components, each with a digest of its own. */
export function imageReferences(names: readonly string[] = TAGS): string {
  return JSON.stringify({
    kind: 'ImageStream',
    apiVersion: 'image.openshift.io/v1',
    metadata: { name: '4.18.9', creationTimestamp: '2025-03-01T00:00:00Z' },
    spec: {
      lookupPolicy: { local: false },
      tags: names.map((name) => ({
        name,
        annotations: { 'io.openshift.build.commit.id': '' },
        from: { kind: 'DockerImage', name: `quay.io/ocp/art@${digestOf(Buffer.from(name))}` },
        generation: 2,
        importPolicy: {},
        referencePolicy: { type: 'Source' },
      })),
    },
    status: { dockerImageRepository: '' },
  });
}

export function releaseMetadata(more: Record<string, unknown> = {}): string {
  const metadata = { url: 'https://access.redhat.com/errata/RHSA-2025:0001' };
  return JSON.stringify({
    kind: 'cincinnati-metadata-v0',
    version: '4.18.9',
    previous: ['4.17.20', '4.18.8'],
    metadata,
    ...more,
  });
}

export const REFERENCES: TarEntry = {
  name: 'release-manifests/image-references',
  content: imageReferences(),
};
export const METADATA: TarEntry = { name: 'release-manifests/release-metadata', content: releaseMetadata() };

interface MadeManifest {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  readonly digest: Digest;
}

/** A registry in memory: manifests by reference, blobs by digest, and what was opened and how far it was read. */
export class MadeRegistry {
  readonly manifests = new Map<string, MadeManifest>();
  readonly blobs = new Map<string, Iterable<Uint8Array>>();
  readonly opened: { digest: Digest; readonly stream: Readable; sentBytes: number }[] = [];

  addBlob(bytes: Uint8Array): { digest: Digest; size: number } {
    const digest = digestOf(bytes);
    const step = 64 * 1024;
    const chunks = Array.from({ length: Math.ceil(bytes.length / step) }, (_, at) =>
      bytes.subarray(at * step, (at + 1) * step),
    );
    this.blobs.set(digest, chunks);
    return { digest, size: bytes.length };
  }

  addManifest(document: object, mediaType: string, tags: readonly string[]): Digest {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...document }));
    const made = { bytes, mediaType, digest: digestOf(bytes) };
    for (const tag of [...tags, `quay.io/ocp/release@${made.digest}`]) this.manifests.set(tag, made);
    return made.digest;
  }

  /** Adds an image from layers, the lowest first. */
  addImage(
    layers: readonly { digest: Digest; size: number }[],
    {
      tags = ['quay.io/ocp/release:4.18.9'],
      architecture = 'amd64',
      labels = {} as Record<string, string>,
    } = {},
  ): Digest {
    const config = this.addBlob(
      Buffer.from(JSON.stringify({ architecture, os: 'linux', config: { Labels: labels } })),
    );
    const document = {
      config: { mediaType: 'application/vnd.docker.container.image.v1+json', ...config },
      layers: layers.map((layer) => ({
        mediaType: 'application/vnd.docker.image.rootfs.diff.tar.gzip',
        ...layer,
      })),
    };
    return this.addManifest(document, MEDIA_TYPE.dockerManifest, tags);
  }

  async addLayer(
    entries: readonly TarEntry[],
    packer: (tar: Buffer) => Buffer = (tar) => gzipSync(tar, { level: 1 }),
  ): Promise<{ digest: Digest; size: number }> {
    return this.addBlob(packer(await tarOf(entries)));
  }

  async getManifest(reference: ImageReference): Promise<MadeManifest> {
    const found = this.manifests.get(formatReference(reference));
    if (found === undefined)
      throw new EdgefabError(`${formatReference(reference)} is unknown`, { code: 'MANIFEST_UNKNOWN' });
    return found;
  }

  async openBlob(
    repository: ImageReference,
    digest: Digest,
  ): Promise<{ stream: Readable; sizeBytes: undefined }> {
    const chunks = this.blobs.get(digest);
    if (chunks === undefined)
      throw new EdgefabError(`${repositoryOf(repository)}@${digest} is unknown`, {
        code: 'MANIFEST_UNKNOWN',
      });
    const entry = { digest, stream: new Readable(), sentBytes: 0 };
    const iterator = chunks[Symbol.iterator]();
    entry.stream = new Readable({
      highWaterMark: 1,
      read: () => {
        const { value, done } = iterator.next();
        entry.sentBytes += value?.length ?? 0;
        entry.stream.push(done ? null : value);
      },
    });
    this.opened.push(entry);
    return { stream: entry.stream, sizeBytes: undefined };
  }
}

/** What the tests of payloads ask for. */
export const TAG = parseReference('quay.io/ocp/release:4.18.9');

export const file = (name: string, content: string | Uint8Array = 'x'): TarEntry => ({ name, content });

/** A registry with one release image of these layers, the lowest first. */
export async function registryOf(...layers: readonly (readonly TarEntry[])[]): Promise<MadeRegistry> {
  const registry = new MadeRegistry();
  const added: { digest: Digest; size: number }[] = [];
  for (const entries of layers) added.push(await registry.addLayer(entries));
  registry.addImage(added);
  return registry;
}

/** How many layers were opened; the first blob is the config. */
export const layersOpened = (registry: MadeRegistry): number => registry.opened.length - 1;
