import { EdgefabError } from '../errors.ts';
import type { Architecture } from './architecture.ts';
import { type Descriptor, type Fault, parseDescriptor, parseDescriptors, parseRecord } from './descriptor.ts';
import { printable } from './printable.ts';

export type { Descriptor } from './descriptor.ts';

export const MEDIA_TYPE = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const;

export interface ImageIndex {
  readonly kind: 'index';
  readonly mediaType: string;
  readonly manifests: readonly Descriptor[];
}

export interface ImageManifest {
  readonly kind: 'image';
  readonly mediaType: string;
  readonly config: Descriptor;
  readonly layers: readonly Descriptor[];
}

export type Manifest = ImageIndex | ImageManifest;

/** What a client asks for: everything this module reads, newest first. */
export const ACCEPTED_MANIFESTS: readonly string[] = Object.values(MEDIA_TYPE);

/** More than any real manifest (registries cap them at 4 MiB). */
export const MAX_MANIFEST_BYTES = 4 * 1024 * 1024;

function faultOf(where: string): Fault {
  return (what) =>
    new EdgefabError(`manifest of ${where}: ${what}`, { code: 'MANIFEST_INVALID', place: { image: where } });
}

/**
 * The type the bytes claim. Only the bytes are stored, so their own field decides; OCI documents may leave it
 * out (image-spec manifest.md), and then what a registry or a `dir:` view says counts, unless that is a type
 * for any JSON.
 */
function claimedType(body: Record<string, unknown>, mediaType: string): string {
  if (typeof body.mediaType === 'string' && body.mediaType !== '') return body.mediaType;
  const said = (mediaType.split(';', 1)[0] ?? '').trim().toLowerCase();
  if (ACCEPTED_MANIFESTS.includes(said)) return said;
  if (!['', 'application/json', 'application/octet-stream', 'text/plain'].includes(said)) return said;
  if ('manifests' in body) return MEDIA_TYPE.ociIndex;
  return 'config' in body ? MEDIA_TYPE.ociManifest : said;
}

/**
 * Reads an image manifest or an index, OCI or docker schema 2 (OCI image-spec manifest.md, image-index.md;
 * distribution manifest-v2-2). `mediaType` is the Content-Type the registry sent; the document's own field
 * decides when present. Throws MANIFEST_INVALID.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string, where: string): Manifest {
  const fault = faultOf(where);
  if (bytes.length > MAX_MANIFEST_BYTES)
    throw fault(`has ${bytes.length} bytes, more than ${MAX_MANIFEST_BYTES}`);
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new EdgefabError(`manifest of ${where} is not JSON`, {
      code: 'MANIFEST_INVALID',
      place: { image: where },
      cause,
    });
  }
  const body = parseRecord(json, 'document', fault);
  if (body.schemaVersion !== 2) {
    const got = body.schemaVersion === undefined ? 'missing' : JSON.stringify(body.schemaVersion);
    throw fault(
      `schemaVersion is ${printable(got, 40)}, want 2 (schema 1 images cannot be mirrored by digest)`,
    );
  }
  const type = claimedType(body, mediaType);
  // A document that is both would mean different images to different readers (CVE-2021-41190).
  if ('manifests' in body && ('layers' in body || 'config' in body))
    throw fault('is an index and an image at once');
  switch (type) {
    case MEDIA_TYPE.ociIndex:
    case MEDIA_TYPE.dockerList:
      return {
        kind: 'index',
        mediaType: type,
        manifests: parseDescriptors(body.manifests, 'manifests', fault),
      };
    case MEDIA_TYPE.ociManifest:
    case MEDIA_TYPE.dockerManifest:
      return {
        kind: 'image',
        mediaType: type,
        config: parseDescriptor(body.config, 'config', fault),
        layers: parseDescriptors(body.layers, 'layers', fault),
      };
    default:
      throw fault(`media type "${printable(type, 100)}" is none of ${ACCEPTED_MANIFESTS.join(', ')}`);
  }
}

/** Variants every machine of the architecture can run come first; arm64 without a variant means v8. */
const BASELINE: ReadonlySet<string | undefined> = new Set([undefined, 'v1', 'v8']);

/**
 * Selects the linux image for one architecture from an index; of several variants the one every machine can
 * run. Attestation entries (`unknown/unknown`) never match. Throws PLATFORM_UNKNOWN, listing what there is.
 */
export function selectPlatform(
  index: ImageIndex,
  architecture: Architecture,
  where = 'the manifest list',
): Descriptor {
  const matching = index.manifests.filter(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === architecture,
  );
  const selected = matching.find(({ platform }) => BASELINE.has(platform?.variant)) ?? matching[0];
  if (selected !== undefined) return selected;
  const platforms = index.manifests.flatMap(({ platform }) =>
    platform === undefined || platform.os === 'unknown'
      ? []
      : [`${platform.os}/${platform.architecture}${platform.variant ? `/${platform.variant}` : ''}`],
  );
  const there = platforms.length === 0 ? 'no platform at all' : [...new Set(platforms)].sort().join(', ');
  throw new EdgefabError(`${where} has no image for linux/${architecture}: it has ${printable(there, 500)}`, {
    code: 'PLATFORM_UNKNOWN',
    place: { image: where },
  });
}
