import { readFile } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../errors.ts';
import { type Lock, parseLock } from '../mirror/resolve/lock.ts';
import {
  type ManifestSource,
  type ResolveOptions,
  resolveImages,
  type WantedImage,
} from '../mirror/resolve/resolve.ts';
import { type Architecture, architectureOf } from '../oci/architecture.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { parseReference, repositoryOf } from '../oci/reference.ts';

/** Everything a lock depends on. `arch` is a machine name: x86_64, aarch64, … */
export interface LockRequest {
  readonly wanted: readonly WantedImage[];
  /** sha256 of the image set file's bytes. */
  readonly imageSet: Digest;
  readonly arch: string;
  readonly release?: { readonly version?: string; readonly image: string };
}

/** A lock, and whether it was kept from disk (`kept`), made anew, or made because the kept one was stale. */
export interface LockOutcome {
  readonly lock: Lock;
  readonly state: 'kept' | 'new' | 'updated';
}

/** The sha256 over what is wanted: another image, role or architecture makes a kept lock stale. */
function wantedId(request: LockRequest): Digest {
  const lines = request.wanted.map((item) => `${item.role} ${item.reference} ${item.requiredBy}`).sort();
  return digestOf(new TextEncoder().encode(JSON.stringify([request.arch, lines])));
}

/** Loads the lock at a path; undefined when there is none. Throws LOCK_INVALID. */
export async function loadLock(path: string): Promise<Lock | undefined> {
  try {
    return parseLock(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

/** Tells whether a lock was made from exactly these wishes. */
export function isFresh(lock: Lock, request: LockRequest): boolean {
  return (
    lock.arch === request.arch &&
    lock.inputs.imageSet === request.imageSet &&
    lock.inputs.wanted === wantedId(request)
  );
}

/**
 * Keeps the lock at `lockPath` while it fits what is wanted, so that a build stays on the digests it was made
 * with; resolves anew when there is none, when it is stale, or when `update` asks for it. Writes nothing.
 */
export async function resolveLock(
  request: LockRequest,
  lockPath: string,
  update: boolean,
  source: ManifestSource,
  options: Omit<ResolveOptions, 'architecture'>,
): Promise<LockOutcome> {
  const kept = await loadLock(lockPath);
  if (kept !== undefined && !update && isFresh(kept, request)) return { lock: kept, state: 'kept' };
  const images = await resolveImages(request.wanted, source, {
    ...options,
    architecture: ociArchitecture(request.arch),
  });
  const release = request.release === undefined ? undefined : lockedRelease(request.release, images);
  return {
    lock: {
      arch: request.arch,
      inputs: { imageSet: request.imageSet, wanted: wantedId(request) },
      ...(release === undefined ? {} : { release }),
      images,
    },
    state: kept === undefined ? 'new' : 'updated',
  };
}

function ociArchitecture(arch: string): Architecture {
  const found = architectureOf(arch);
  if (found !== undefined) return found;
  throw new EdgefabError(`architecture "${arch}" is not known: want x86_64, aarch64, ppc64le or s390x`, {
    code: 'USAGE_INVALID',
  });
}

function lockedRelease(
  release: NonNullable<LockRequest['release']>,
  images: Lock['images'],
): Lock['release'] {
  const reference = parseReference(release.image);
  const source = repositoryOf(reference);
  const image = images.find(
    (item) =>
      item.source === source &&
      (reference.digest === undefined ? item.tag === reference.tag : item.digest === reference.digest),
  );
  return image === undefined ? undefined : { ...release, digest: image.digest };
}
