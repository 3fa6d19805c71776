import type { EdgefabError } from '../errors.ts';
import { type Digest, isDigest } from './digest.ts';

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
  readonly annotations?: Readonly<Record<string, string>>;
}

/** Makes the error of whoever reads the document the descriptor stands in. */
export type Fault = (what: string) => EdgefabError;

/** Checks that a value is a JSON object; throws the fault, naming the field. */
export function parseRecord(value: unknown, field: string, fault: Fault): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw fault(`${field} is not an object`);
  return value as Record<string, unknown>;
}

function parsePlatform(value: unknown, field: string, fault: Fault): Platform | undefined {
  const { os, architecture, variant } = parseRecord(value, field, fault);
  // Incomplete platforms exist in the wild; they select nothing.
  if (typeof os !== 'string' || typeof architecture !== 'string') return undefined;
  return { os, architecture, ...(typeof variant === 'string' && variant !== '' ? { variant } : {}) };
}

function parseAnnotations(value: unknown, field: string, fault: Fault): Record<string, string> {
  const texts = Object.entries(parseRecord(value, field, fault)).map(([key, text]): [string, string] => {
    if (typeof text !== 'string') throw fault(`${field} holds a value that is not a text`);
    return [key, text];
  });
  return Object.fromEntries(texts);
}

/** Reads one descriptor; `field` names it in faults. */
export function parseDescriptor(value: unknown, field: string, fault: Fault): Descriptor {
  const { mediaType, digest, size, platform, annotations } = parseRecord(value, field, fault);
  if (typeof mediaType !== 'string' || mediaType === '') throw fault(`${field}.mediaType is missing`);
  if (typeof digest !== 'string' || !isDigest(digest)) throw fault(`${field}.digest is not a sha256 digest`);
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0)
    throw fault(`${field}.size is not a byte count`);
  const known = platform == null ? undefined : parsePlatform(platform, `${field}.platform`, fault);
  return {
    mediaType,
    digest,
    sizeBytes: size,
    ...(known === undefined ? {} : { platform: known }),
    ...(annotations == null
      ? {}
      : { annotations: parseAnnotations(annotations, `${field}.annotations`, fault) }),
  };
}

/** Reads a list of descriptors; `field` names it in faults. */
export function parseDescriptors(value: unknown, field: string, fault: Fault): Descriptor[] {
  if (!Array.isArray(value)) throw fault(`${field} is not a list`);
  return value.map((item, at) => parseDescriptor(item, `${field}[${at}]`, fault));
}
