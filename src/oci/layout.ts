import { EdgefabError } from '../errors.ts';
import { type Descriptor, type Fault, parseDescriptors, parseRecord } from './descriptor.ts';
import { MEDIA_TYPE } from './manifest.ts';

/** OCI image-spec image-layout.md: the only version there is. */
const LAYOUT_VERSION = '1.0.0';

/** The annotation that names an entry of `index.json` (image-spec annotations.md). */
export const REF_NAME = 'org.opencontainers.image.ref.name';

/** What `index.json` of an image layout holds. */
export interface LayoutIndex {
  readonly manifests: readonly Descriptor[];
}

function faultOf(where: string): Fault {
  return (what) => new EdgefabError(`${where}: ${what}`, { code: 'LAYOUT_INVALID', place: { file: where } });
}

function parseDocument(bytes: Uint8Array, where: string, fault: Fault): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw new EdgefabError(`${where}: is not JSON`, {
      code: 'LAYOUT_INVALID',
      place: { file: where },
      cause,
    });
  }
  return parseRecord(json, 'document', fault);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function sorted(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).sort(([a], [b]) => compareText(a, b)));
}

function encodeDescriptor({ mediaType, digest, sizeBytes, platform, annotations }: Descriptor): object {
  return {
    mediaType,
    digest,
    size: sizeBytes,
    ...(platform === undefined
      ? {}
      : {
          platform: {
            architecture: platform.architecture,
            os: platform.os,
            ...(platform.variant === undefined ? {} : { variant: platform.variant }),
          },
        }),
    ...(annotations === undefined || Object.keys(annotations).length === 0
      ? {}
      : { annotations: sorted(annotations) }),
  };
}

/** Writes the `oci-layout` file. */
export function encodeOciLayout(): Uint8Array {
  return Buffer.from(`${JSON.stringify({ imageLayoutVersion: LAYOUT_VERSION })}\n`);
}

/** Checks an `oci-layout` file; throws LAYOUT_INVALID for another version. */
export function parseOciLayout(bytes: Uint8Array, where: string): void {
  const fault = faultOf(where);
  const { imageLayoutVersion } = parseDocument(bytes, where, fault);
  if (imageLayoutVersion !== LAYOUT_VERSION) throw fault(`imageLayoutVersion is not ${LAYOUT_VERSION}`);
}

/**
 * Writes `index.json`: entries sorted by name, then by digest, each written once, keys in one order, so that
 * the same content gives the same bytes.
 */
export function encodeLayoutIndex(index: LayoutIndex): Uint8Array {
  const entries = new Map(
    index.manifests.map((entry) => {
      const item = encodeDescriptor(entry);
      const key = `${entry.annotations?.[REF_NAME] ?? ''}\0${entry.digest}\0${JSON.stringify(item)}`;
      return [key, item];
    }),
  );
  const manifests = [...entries].sort(([a], [b]) => compareText(a, b)).map(([, item]) => item);
  return Buffer.from(
    `${JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }, undefined, 2)}\n`,
  );
}

/** Reads `index.json`; throws LAYOUT_INVALID. */
export function parseLayoutIndex(bytes: Uint8Array, where: string): LayoutIndex {
  const fault = faultOf(where);
  const body = parseDocument(bytes, where, fault);
  if (body.schemaVersion !== 2) throw fault('schemaVersion is not 2');
  if (body.mediaType !== undefined && body.mediaType !== MEDIA_TYPE.ociIndex)
    throw fault(`mediaType is not ${MEDIA_TYPE.ociIndex}`);
  return { manifests: parseDescriptors(body.manifests, 'manifests', fault) };
}
