import pLimit from 'p-limit';
import { compareReleaseVersions, parseReleaseVersion } from '../../formats/release-version.ts';
import { formatReference, parseReference } from '../../oci/reference.ts';
import type { ImageSetRelease } from './image-set-images.ts';
import type { LockedImage } from './lock.ts';
import type { ManifestSource } from './payload/content-sources.ts';
import { type ResolveOptions, resolveImages } from './resolve.ts';
import { findImageSignatures, type ReferrerSource } from './signature/find-image-signatures.ts';

/** The first release whose cluster asks for sigstore signatures of its images (its default image policy). */
const FIRST_WITH_POLICY = parseReleaseVersion('4.21.0-0');

/** Releases before 4.21 check no signature; of those only the release image's are kept, as they are a few bytes. */
function wantsAllSignatures(releases: readonly ImageSetRelease[]): boolean {
  return releases.some(({ version }) => {
    const parsed = parseReleaseVersion(version);
    return (
      parsed !== undefined &&
      FIRST_WITH_POLICY !== undefined &&
      compareReleaseVersions(parsed, FIRST_WITH_POLICY) >= 0
    );
  });
}

/**
 * Finds the signatures attached to images (by tag or referrer) and locks them too: `signatures` of an image names
 * their digests, and each is an image of the lock of its own, under the tag it is asked for by. Of the release
 * images always, of all others from release 4.21 on. Throws what the registry throws, except for "not there".
 */
export async function lockSignatures(
  images: readonly LockedImage[],
  releases: readonly ImageSetRelease[],
  sources: ManifestSource & ReferrerSource,
  options: ResolveOptions,
): Promise<LockedImage[]> {
  const all = wantsAllSignatures(releases);
  const releaseDigests = new Set(releases.map(({ digest }) => digest));
  const limit = pLimit(options.parallel);
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const found = await Promise.all(
    images.map((image) =>
      limit(async () => {
        if (!all && !releaseDigests.has(image.digest)) return { image, signatures: [] };
        const subjects = [...new Set([image.digest, image.archDigest])];
        const signatures = await findImageSignatures(parseReference(image.source), subjects, sources, {
          concurrency: 2,
          ...signal,
        });
        return { image, signatures };
      }),
    ),
  );
  const wanted = found.flatMap(({ image, signatures }) =>
    signatures.flatMap(({ digest, tag, subject }) =>
      image.roles.map((role) => ({
        reference: formatReference({
          ...parseReference(image.source),
          ...(tag === undefined ? {} : { tag }),
          digest,
        }),
        role,
        requiredBy: `signature of ${image.source}@${subject}`,
      })),
    ),
  );
  const signed = found.map(({ image, signatures }) =>
    signatures.length === 0
      ? image
      : { ...image, signatures: [...new Set(signatures.map(({ digest }) => digest))] },
  );
  return [...signed, ...(await resolveImages(wanted, sources, options))];
}
