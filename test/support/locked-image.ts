import type { LockedImage } from '../../src/mirror/resolve/lock.ts';
import { type Digest, digestOf } from '../../src/oci/digest.ts';

/** The digest of a word, for tests that need some digest. */
export function digestFor(word: string): Digest {
  return digestOf(Buffer.from(word));
}

/** A locked image of named blobs, for tests of what only looks at locks. */
export function lockedImage(
  source: string,
  blobs: Readonly<Record<string, number>>,
  rest: Partial<LockedImage> = {},
): LockedImage {
  const digest = digestFor(source);
  return {
    source,
    digest,
    archDigest: digest,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    sizeBytes: Object.values(blobs).reduce((sum, size) => sum + size, 0),
    blobs: Object.entries(blobs).map(([word, sizeBytes]) => ({ digest: digestFor(word), sizeBytes })),
    roles: ['additional'],
    requiredBy: ['a test'],
    ...rest,
  };
}
