import pLimit from 'p-limit';
import { EdgefabError } from '../../errors.ts';
import type { Architecture } from '../../oci/architecture.ts';
import type { FetchedManifest } from '../../oci/client.ts';
import type { Digest } from '../../oci/digest.ts';
import { type ImageManifest, parseManifest, selectPlatform } from '../../oci/manifest.ts';
import {
  atDigest,
  formatReference,
  type ImageReference,
  parseReference,
  repositoryOf,
} from '../../oci/reference.ts';
import { IMAGE_ROLES, type ImageRole, type LockedImage } from './lock.ts';

/** An image somebody wants: a full reference, and who wants it as what. */
export interface WantedImage {
  readonly reference: string;
  readonly role: ImageRole;
  readonly requiredBy: string;
  /** REPOSITORY:TAG of a release's component in a mirror. */
  readonly mirrorName?: string;
}

/** The one thing resolving needs of a registry client. */
export interface ManifestSource {
  getManifest(reference: ImageReference, options?: { signal?: AbortSignal }): Promise<FetchedManifest>;
}

export interface ResolveOptions {
  readonly architecture: Architecture;
  readonly parallel: number;
  readonly signal?: AbortSignal;
  readonly onResolved?: (done: number, total: number) => void;
}

/** One reference and all who want it. */
export interface SharedWant {
  readonly reference: string;
  readonly roles: ReadonlySet<ImageRole>;
  readonly requiredBy: ReadonlySet<string>;
  readonly mirrorNames: ReadonlySet<string>;
}

/** Joins wishes for the same reference: catalogs name one image bundle after bundle. */
export function shareReferences(wanted: readonly WantedImage[]): SharedWant[] {
  const newWant = (reference: string) => ({
    reference,
    roles: new Set<ImageRole>(),
    requiredBy: new Set<string>(),
    mirrorNames: new Set<string>(),
  });
  const shared = new Map<string, ReturnType<typeof newWant>>();
  for (const { reference, role, requiredBy, mirrorName } of wanted) {
    const known = shared.get(reference) ?? newWant(reference);
    known.roles.add(role);
    known.requiredBy.add(requiredBy);
    if (mirrorName !== undefined) known.mirrorNames.add(mirrorName);
    shared.set(reference, known);
  }
  return [...shared.values()];
}

/** An image and what it is made of, read from the registry once for all who want it by this reference. */
async function resolveOne(
  { reference: text, roles, requiredBy, mirrorNames }: SharedWant,
  source: ManifestSource,
  options: ResolveOptions,
): Promise<LockedImage> {
  const reference = parseReference(text);
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const fetched = await source.getManifest(reference, signal);
  const top = parseManifest(fetched.bytes, fetched.mediaType, text);
  let image: ImageManifest;
  let archDigest: Digest = fetched.digest;
  if (top.kind === 'index') {
    const child = selectPlatform(top, options.architecture, text);
    const childReference = atDigest(reference, child.digest);
    const childBytes = await source.getManifest(childReference, signal);
    const parsed = parseManifest(childBytes.bytes, childBytes.mediaType, formatReference(childReference));
    if (parsed.kind !== 'image') {
      throw new EdgefabError(
        `${text}: the list's ${options.architecture} entry is a list again, want an image manifest`,
        {
          code: 'MANIFEST_INVALID',
          place: { image: text },
        },
      );
    }
    image = parsed;
    archDigest = child.digest;
  } else {
    image = top;
  }
  const blobs = new Map<Digest, number>();
  for (const { digest, sizeBytes } of [image.config, ...image.layers]) {
    const known = blobs.get(digest);
    if (known !== undefined && known !== sizeBytes) {
      throw new EdgefabError(`${text}: blob ${digest} has two sizes, ${known} and ${sizeBytes} bytes`, {
        code: 'MANIFEST_INVALID',
        place: { image: text },
      });
    }
    blobs.set(digest, sizeBytes);
  }
  return {
    source: repositoryOf(reference),
    ...(reference.tag === undefined ? {} : { tag: reference.tag }),
    ...(mirrorNames.size === 0 ? {} : { mirrorNames: [...mirrorNames] }),
    digest: fetched.digest,
    archDigest,
    mediaType: top.mediaType,
    sizeBytes: [...blobs.values()].reduce((sum, size) => sum + size, 0),
    blobs: [...blobs].map(([digest, sizeBytes]) => ({ digest, sizeBytes })),
    roles: IMAGE_ROLES.filter((role) => roles.has(role)),
    requiredBy: [...requiredBy],
  };
}

function mergeSame(images: readonly LockedImage[]): LockedImage[] {
  const merged = new Map<string, LockedImage>();
  for (const image of images) {
    const key = `${image.source}@${image.digest}`;
    const known = merged.get(key);
    const tag = known?.tag ?? image.tag;
    const mirrorNames = new Set([...(known?.mirrorNames ?? []), ...(image.mirrorNames ?? [])]);
    merged.set(
      key,
      known === undefined
        ? image
        : {
            ...known,
            ...(tag === undefined ? {} : { tag }),
            ...(mirrorNames.size === 0 ? {} : { mirrorNames: [...mirrorNames] }),
            roles: IMAGE_ROLES.filter((role) => known.roles.includes(role) || image.roles.includes(role)),
            requiredBy: [...new Set([...known.requiredBy, ...image.requiredBy])],
          },
    );
  }
  return [...merged.values()];
}

/**
 * Turns wanted images into locked ones: every tag becomes a digest, every list the one child asked for, every
 * image its blobs with sizes. All failures come together; the first one gives the code.
 */
export async function resolveImages(
  wanted: readonly WantedImage[],
  source: ManifestSource,
  options: ResolveOptions,
): Promise<LockedImage[]> {
  const limit = pLimit(options.parallel);
  const shared = shareReferences(wanted);
  let done = 0;
  const outcomes = await Promise.allSettled(
    shared.map((item) =>
      limit(async () => {
        options.signal?.throwIfAborted();
        const image = await resolveOne(item, source, options);
        done += 1;
        options.onResolved?.(done, shared.length);
        return image;
      }),
    ),
  );
  options.signal?.throwIfAborted();
  const failures = outcomes
    .filter((outcome) => outcome.status === 'rejected')
    .map(({ reason }) => reason as unknown);
  const [first] = failures;
  if (first !== undefined) {
    if (failures.length === 1 || !(first instanceof EdgefabError)) throw first;
    const lines = failures.map(
      (failure) => `  ${failure instanceof Error ? failure.message : String(failure)}`,
    );
    throw new EdgefabError(
      `${failures.length} of ${shared.length} images could not be resolved:\n${lines.join('\n')}`,
      {
        code: first.code,
        suggestions: first.suggestions,
        place: first.place,
        cause: first,
      },
    );
  }
  return mergeSame(outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])));
}
