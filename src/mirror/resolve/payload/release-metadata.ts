import { z } from 'zod';
import { parsePayloadJson } from './image-references.ts';

/** What a release says of itself. */
export interface ReleaseMetadata {
  readonly version: string;
  /** Versions that may be updated to this one. */
  readonly previous: readonly string[];
  readonly next: readonly string[];
  /** The errata. */
  readonly url: string | undefined;
  /** In GOARCH words, or `multi`; single-architecture payloads do not say. */
  readonly architecture: string | undefined;
}

export const RELEASE_METADATA = 'release-manifests/release-metadata';
const ARCHITECTURE_KEY = 'release.openshift.io/architecture';

// openshift/oc release payloads, "cincinnati-metadata-v0".
const metadataDocument = z.object({
  kind: z.literal('cincinnati-metadata-v0'),
  version: z.string().regex(/^[0-9A-Za-z][0-9A-Za-z.+-]{0,126}$/, 'not a version'),
  previous: z.array(z.string()).nullish(),
  next: z.array(z.string()).nullish(),
  metadata: z.record(z.unknown()).nullish(),
});

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Reads a payload's release-metadata. Throws PAYLOAD_INVALID. */
export function parseReleaseMetadata(bytes: Uint8Array, where: string): ReleaseMetadata {
  const { version, previous, next, metadata } = parsePayloadJson(
    bytes,
    metadataDocument,
    RELEASE_METADATA,
    where,
  );
  return {
    version,
    previous: previous ?? [],
    next: next ?? [],
    url: textOf(metadata?.url),
    architecture: textOf(metadata?.[ARCHITECTURE_KEY]),
  };
}
