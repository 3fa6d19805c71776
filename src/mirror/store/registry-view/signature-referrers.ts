import { readFile, stat } from 'node:fs/promises';
import pLimit from 'p-limit';
import { z } from 'zod/v4';
import { hasCode } from '../../../errors.ts';
import { type Digest, digestOf, isDigest } from '../../../oci/digest.ts';
import { MAX_MANIFEST_BYTES, MEDIA_TYPE } from '../../../oci/manifest.ts';
import type { LockedImage } from '../../resolve/lock.ts';
import { storePaths } from '../store-paths.ts';

/** The signatures of one manifest that say themselves what they belong to, as an index that names them. */
export interface ReferrersIndex {
  readonly source: string;
  /** The manifest that is signed. */
  readonly subject: Digest;
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

// OCI image-spec v1.1, manifest.md: `subject` names what a manifest is attached to.
const attached = z.object({
  mediaType: z.string(),
  artifactType: z.string().nullish(),
  config: z.object({ mediaType: z.string() }).nullish(),
  annotations: z.record(z.string(), z.string()).nullish(),
  subject: z.object({ digest: z.custom<Digest>((value) => typeof value === 'string' && isDigest(value)) }),
});

interface Referrer {
  readonly source: string;
  readonly subject: Digest;
  readonly descriptor: { readonly digest: Digest } & Readonly<Record<string, unknown>>;
}

/**
 * Reads the locked signatures of images and makes, for each manifest that some are attached to, the index which
 * the referrers tag of a registry without a referrers API stands for (distribution-spec v1.1, "Referrers Tag
 * Schema"). A signature that is not there, or names something else than its image, is in none.
 */
export async function loadReferrersIndexes(
  root: string,
  images: readonly LockedImage[],
): Promise<ReferrersIndex[]> {
  const limit = pLimit(16);
  const read = await Promise.all(
    images.flatMap((image) =>
      (image.signatures ?? []).map((digest) => limit(() => readReferrer(root, image, digest))),
    ),
  );
  const bySubject = new Map<string, Referrer[]>();
  for (const referrer of read) {
    if (referrer === undefined) continue;
    const key = `${referrer.source}@${referrer.subject}`;
    bySubject.set(key, [...(bySubject.get(key) ?? []), referrer]);
  }
  return [...bySubject.values()].flatMap(([first, ...rest]) =>
    first === undefined ? [] : [makeIndex(first, [first, ...rest])],
  );
}

function makeIndex({ source, subject }: Referrer, referrers: readonly Referrer[]): ReferrersIndex {
  const manifests = [
    ...new Map(referrers.map(({ descriptor }) => [descriptor.digest, descriptor])).values(),
  ].sort((a, b) => (a.digest < b.digest ? -1 : 1));
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPE.ociIndex, manifests }));
  return { source, subject, digest: digestOf(bytes), bytes };
}

async function readReferrer(
  root: string,
  { source, digest: list, archDigest }: LockedImage,
  digest: Digest,
): Promise<Referrer | undefined> {
  const path = storePaths.blob(root, digest);
  let bytes: Uint8Array;
  try {
    if ((await stat(path)).size > MAX_MANIFEST_BYTES) return undefined;
    bytes = await readFile(path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const parsed = attached.safeParse(parseJson(bytes));
  if (!parsed.success) return undefined;
  const { mediaType, artifactType, config, annotations, subject } = parsed.data;
  if (subject.digest !== list && subject.digest !== archDigest) return undefined;
  // distribution-spec v1.1, "Listing Referrers": the config's type stands in for a missing artifact type.
  const type = artifactType ?? config?.mediaType;
  const descriptor = {
    mediaType,
    digest,
    size: bytes.length,
    ...(type === undefined ? {} : { artifactType: type }),
    ...(annotations == null ? {} : { annotations }),
  };
  return { source, subject: subject.digest, descriptor };
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch {
    return undefined;
  }
}
