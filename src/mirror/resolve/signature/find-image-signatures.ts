import pLimit from 'p-limit';
import { z } from 'zod';
import { EdgefabError, hasCode } from '../../../errors.ts';
import { type Digest, digestHex, digestOf, isDigest } from '../../../oci/digest.ts';
import { parseManifest } from '../../../oci/manifest.ts';
import { atDigest, formatReference, type ImageReference } from '../../../oci/reference.ts';
import type { ManifestSource } from '../payload/content-sources.ts';

/** Gives the OCI referrers of a manifest (distribution-spec v1.1); undefined where the registry has no such API. */
export interface ReferrerSource {
  getReferrers?(
    repository: ImageReference,
    digest: Digest,
    options?: { readonly signal?: AbortSignal },
  ): Promise<Uint8Array | undefined>;
}

/** A signature to lock along with its image. */
export interface ImageSignature {
  /** The manifest that is signed: list or child. */
  readonly subject: Digest;
  readonly digest: Digest;
  readonly mediaType: string;
  readonly sizeBytes: number;
  /** `sha256-HEX.sig`, where it is found by tag; a referrer has none. */
  readonly tag?: string;
}

export interface SignatureSearch {
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
}

/** More than any image has; each is one more manifest to fetch. */
const MAX_REFERRERS = 100;
/** cosign's own referrers, and sigstore bundles (cosign 3). */
const SIGNATURE_TYPES = /^application\/vnd\.dev\.(?:cosign\.artifact\.sig\.|sigstore\.bundle\.)/;

// OCI image-spec, image-index.md: a referrers answer is an index whose descriptors tell their artifact types.
const referrersIndex = z.object({
  manifests: z.array(
    z.object({
      mediaType: z.string(),
      digest: z.string(),
      size: z.number().int().nonnegative(),
      artifactType: z.string().nullish(),
    }),
  ),
});

function fault(where: string, what: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`referrers of ${where}: ${what}`, {
    code: 'MANIFEST_INVALID',
    place: { image: where },
    ...(cause === undefined ? {} : { cause }),
  });
}

/** Picks the signatures out of a referrers answer. Throws MANIFEST_INVALID. */
function readReferrers(bytes: Uint8Array, subject: Digest, where: string): ImageSignature[] {
  let json: unknown;
  try {
    json = JSON.parse(Buffer.from(bytes).toString('utf8'));
  } catch (cause) {
    throw fault(where, 'the answer is not JSON', cause);
  }
  const parsed = referrersIndex.safeParse(json);
  if (!parsed.success) throw fault(where, 'the answer is not an index');
  const signatures = parsed.data.manifests.filter(({ artifactType }) =>
    SIGNATURE_TYPES.test(artifactType ?? ''),
  );
  if (signatures.length > MAX_REFERRERS)
    throw fault(where, `${signatures.length} signatures, want at most ${MAX_REFERRERS}`);
  return signatures.map(({ mediaType, digest, size }) => {
    if (!isDigest(digest)) throw fault(where, `"${digest.slice(0, 100)}" is not a sha256 digest`);
    return { subject, digest, mediaType, sizeBytes: size };
  });
}

type Source = ManifestSource & ReferrerSource;

/** Fetches a manifest by tag; undefined where there is no such tag. */
async function byTag(image: ImageReference, tag: string, source: Source, signal: AbortSignal | undefined) {
  try {
    const reference = { domain: image.domain, path: image.path, tag };
    return await source.getManifest(reference, signal === undefined ? {} : { signal });
  } catch (error) {
    if (hasCode(error, 'MANIFEST_UNKNOWN')) return undefined;
    throw error;
  }
}

async function signaturesOf(
  image: ImageReference,
  subject: Digest,
  source: Source,
  signal: AbortSignal | undefined,
): Promise<ImageSignature[]> {
  const found: ImageSignature[] = [];
  const where = formatReference(atDigest(image, subject));
  const fallback = `sha256-${digestHex(subject)}`;
  const tag = `${fallback}.sig`;
  const tagged = await byTag(image, tag, source, signal);
  if (tagged !== undefined) {
    const { bytes, mediaType } = tagged;
    const manifest = parseManifest(bytes, mediaType, `${image.domain}/${image.path}:${tag}`);
    const sizeBytes = bytes.length;
    found.push({ subject, digest: digestOf(bytes), mediaType: manifest.mediaType, sizeBytes, tag });
  }
  const options = signal === undefined ? {} : { signal };
  const referrers =
    (await source.getReferrers?.(atDigest(image, subject), subject, options)) ??
    // distribution-spec v1.1, "Unavailable Referrers API": an index under a tag made of the digest.
    (await byTag(image, fallback, source, signal))?.bytes;
  if (referrers !== undefined) found.push(...readReferrers(referrers, subject, where));
  return found;
}

/**
 * Finds the sigstore signatures of an image: cosign's `.sig` tag and referrers, for its list digest and its
 * child's alike (a policy may look at either). Sorted by subject and digest. Throws what `source` throws,
 * save that there is no such manifest, and MANIFEST_INVALID.
 */
export async function findImageSignatures(
  image: ImageReference,
  subjects: readonly Digest[],
  source: Source,
  { concurrency = 4, signal }: SignatureSearch = {},
): Promise<ImageSignature[]> {
  const limit = pLimit(concurrency);
  const found = await Promise.all(
    [...new Set(subjects)].map((subject) => limit(() => signaturesOf(image, subject, source, signal))),
  );
  const distinct = new Map<string, ImageSignature>();
  for (const each of found.flat()) {
    const key = `${each.subject} ${each.digest}`;
    // One that is found both ways keeps its tag, by which nodes ask for it.
    if (!distinct.has(key)) distinct.set(key, each);
  }
  return [...distinct].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, each]) => each);
}
