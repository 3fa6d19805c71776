import { readFile } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../errors.ts';
import type { ImageSetSources } from '../mirror/resolve/image-set-images.ts';
import { type Lock, parseLock } from '../mirror/resolve/lock.ts';
import { lockSignatures } from '../mirror/resolve/lock-signatures.ts';
import { openReadAhead } from '../mirror/resolve/read-ahead.ts';
import { type ResolveOptions, resolveImages } from '../mirror/resolve/resolve.ts';
import type { ReferrerSource } from '../mirror/resolve/signature/find-image-signatures.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { LockRequest } from './mirror-request.ts';
import { type NameOptions, nameImages, ociArchitecture } from './name-images.ts';

/** A lock, and whether it was kept from disk or made: for the first time, or anew because that was asked for. */
export interface LockOutcome {
  readonly lock: Lock;
  readonly state: 'kept' | 'new' | 'updated';
  readonly warnings: readonly string[];
}

export type LockSources = ImageSetSources & ReferrerSource;

/** What resolving needs beyond the request: how to read graphs, whom to trust, how much at once. */
export type LockOptions = Omit<NameOptions, 'foresee'> & Omit<ResolveOptions, 'architecture'>;

/** The sha256 over what is wanted: another image, filter, name or architecture makes a kept lock stale. */
function wantedId({ arch, imageSets, tools, bootstrap, filters, forceFilter }: LockRequest): Digest {
  // Where something is written does not change what it means.
  const withoutPlaces = (key: string, value: unknown): unknown =>
    key === 'place' || key === 'file' ? undefined : value;
  const names = [...new Set((bootstrap ?? []).map(({ name, use }) => `${name} ${use ?? ''}`))].sort();
  const texts = filters.map(({ text }) => text);
  return digestOf(
    // A flag that was not given and one that is false are one wish; locks have been written with null.
    Buffer.from(JSON.stringify([arch, imageSets, tools, names, texts, forceFilter || null], withoutPlaces)),
  );
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
  return lock.arch === request.arch && lock.inputs.wanted === wantedId(request);
}

/**
 * Keeps the lock at the request's path while it fits what is wanted, so that a build stays on the digests it was
 * made with; resolves when there is none, or when `update` asks for it. Writes nothing. Throws LOCK_STALE when the
 * lock does not fit, and what resolving throws.
 */
export async function resolveLock(
  request: LockRequest,
  update: boolean,
  sources: LockSources,
  options: LockOptions,
): Promise<LockOutcome> {
  const { lockPath } = request;
  const kept = await loadLock(lockPath);
  if (kept !== undefined && !update) {
    if (isFresh(kept, request)) return { lock: kept, state: 'kept', warnings: [] };
    throw new EdgefabError(
      `${lockPath} is stale: the image set, the factory or an Ignition has changed since it was made`,
      {
        code: 'LOCK_STALE',
        suggestions: ['Run the same command with --update to resolve anew'],
        place: { file: lockPath },
      },
    );
  }
  const made = await makeLock(request, sources, options);
  return { ...made, state: kept === undefined ? 'new' : 'updated' };
}

async function makeLock(
  request: LockRequest,
  sources: LockSources,
  options: LockOptions,
): Promise<{ lock: Lock; warnings: readonly string[] }> {
  const architecture = ociArchitecture(request.arch);
  const ahead = openReadAhead(sources, { ...options, architecture });
  const { wanted, ignored, releases, warnings } = await nameImages(request, sources, {
    ...options,
    foresee: (image) => ahead.foresee(image),
  });
  const images = await resolveImages(wanted, ahead, { ...options, architecture });
  const signed = await lockSignatures(images, releases, sources, { ...options, architecture });
  const [release] = releases;
  return {
    lock: {
      arch: request.arch,
      inputs: { imageSet: request.imageSet, wanted: wantedId(request) },
      ...(release === undefined ? {} : { release }),
      images: signed,
      ...(ignored.length === 0 ? {} : { ignored }),
    },
    warnings,
  };
}
