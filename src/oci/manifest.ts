import { EdgefabError } from '../errors.ts';
import { type Digest, isDigest } from './digest.ts';

export const MEDIA_TYPE = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const;

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant?: string;
}

/** A typed pointer to content (OCI image-spec, descriptor.md). */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly platform?: Platform;
}

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

function fault(where: string, what: string): EdgefabError {
  return new EdgefabError(`manifest of ${where}: ${what}`, {
    code: 'MANIFEST_INVALID',
    place: { image: where },
  });
}

function record(value: unknown, where: string, field: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw fault(where, `${field} is not an object`);
  return value as Record<string, unknown>;
}

function parseDescriptor(value: unknown, where: string, field: string): Descriptor {
  const item = record(value, where, field);
  const { mediaType, digest, size, platform } = item;
  if (typeof mediaType !== 'string') throw fault(where, `${field}.mediaType is missing`);
  if (typeof digest !== 'string' || !isDigest(digest))
    throw fault(where, `${field}.digest is not a sha256 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw fault(where, `${field}.size is not a byte count`);
  if (platform === undefined || platform === null) return { mediaType, digest, sizeBytes: size };
  const { os, architecture, variant } = record(platform, where, `${field}.platform`);
  if (typeof os !== 'string' || typeof architecture !== 'string')
    return { mediaType, digest, sizeBytes: size };
  return {
    mediaType,
    digest,
    sizeBytes: size,
    platform: { os, architecture, ...(typeof variant === 'string' ? { variant } : {}) },
  };
}

function parseList(value: unknown, where: string, field: string): Descriptor[] {
  if (!Array.isArray(value)) throw fault(where, `${field} is not a list`);
  return value.map((item, at) => parseDescriptor(item, where, `${field}[${at}]`));
}

/**
 * Reads an image manifest or an index, OCI or docker schema 2 (OCI image-spec manifest.md, image-index.md;
 * distribution manifest-v2-2). `mediaType` is the Content-Type the registry sent; the document's own field
 * decides when present. Throws MANIFEST_INVALID.
 */
export function parseManifest(bytes: Uint8Array, mediaType: string, where: string): Manifest {
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
  const body = record(json, where, 'document');
  if (body.schemaVersion !== 2) {
    throw fault(
      where,
      `schemaVersion is ${JSON.stringify(body.schemaVersion) ?? 'missing'}, want 2 (schema 1 images cannot be mirrored by digest)`,
    );
  }
  const type = typeof body.mediaType === 'string' ? body.mediaType : mediaType;
  switch (type) {
    case MEDIA_TYPE.ociIndex:
    case MEDIA_TYPE.dockerList:
      return { kind: 'index', mediaType: type, manifests: parseList(body.manifests, where, 'manifests') };
    case MEDIA_TYPE.ociManifest:
    case MEDIA_TYPE.dockerManifest:
      return {
        kind: 'image',
        mediaType: type,
        config: parseDescriptor(body.config, where, 'config'),
        layers: parseList(body.layers, where, 'layers'),
      };
    default:
      throw fault(where, `media type "${type}" is none of ${ACCEPTED_MANIFESTS.join(', ')}`);
  }
}
