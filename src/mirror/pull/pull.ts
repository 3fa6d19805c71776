import pLimit from 'p-limit';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { atDigest, parseReference } from '../../oci/reference.ts';
import { uniqueBlobs, type WantedBlob } from '../plan/plan.ts';
import type { LockedImage } from '../resolve/lock.ts';
import { pullBlob } from './pull-blob.ts';
import type { BlobSink, BlobSource, PullOptions } from './pull-parts.ts';

/** What did not arrive, and why. */
export interface PullFailure {
  readonly what: string;
  readonly images: readonly string[];
  readonly error: Error;
}

export interface PullResult {
  readonly fetchedBytes: number;
  readonly heldBytes: number;
  readonly fetchedBlobs: number;
  readonly failures: readonly PullFailure[];
}

function nameOf(image: LockedImage): string {
  return `${image.source}@${image.digest}`;
}

/**
 * Brings every manifest and every blob of the images into the store: each blob once, whoever shares it. What
 * fails does not stop the rest; a full disk and an interruption do. The result lists what is missing.
 */
export async function pull(
  images: readonly LockedImage[],
  source: BlobSource,
  sink: BlobSink,
  options: PullOptions,
): Promise<PullResult> {
  const limit = pLimit(options.parallel);
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const failures: PullFailure[] = [];
  const attempt = (what: string, users: readonly LockedImage[], work: () => Promise<void>): Promise<void> =>
    limit(async () => {
      if (signal.aborted) return;
      try {
        await work();
      } catch (error) {
        if (signal.aborted) return;
        const failure = error instanceof Error ? error : new Error(String(error));
        failures.push({ what, images: users.map(nameOf), error: failure });
        // Nothing else can be written either, and trying would only fill the screen.
        if (hasCode(error, 'DISK_FULL')) stop.abort();
      }
    });

  await Promise.all(
    images.flatMap((image) =>
      [...new Set([image.digest, image.archDigest])].map((digest) =>
        attempt(`manifest ${digest}`, [image], () => pullManifest(image, digest, source, sink, signal)),
      ),
    ),
  );

  const blobs = uniqueBlobs(images);
  const held = await sink.heldBlobs(blobs);
  let fetchedBytes = 0;
  let heldBytes = 0;
  let fetchedBlobs = 0;
  const onBytes = (bytes: number, from: 'network' | 'held'): void => {
    if (from === 'network') fetchedBytes += bytes;
    else heldBytes += bytes;
    options.onBytes?.(bytes, from);
  };
  let done = 0;
  const finished = (): void => {
    done += 1;
    options.onBlob?.(done, blobs.length);
  };
  const missing: WantedBlob[] = [];
  for (const blob of blobs) {
    if (held.has(blob.digest)) {
      onBytes(blob.sizeBytes, 'held');
      finished();
    } else {
      missing.push(blob);
    }
  }
  await Promise.all(
    missing.map((blob) =>
      attempt(`blob ${blob.digest}`, blob.images, async () => {
        await pullBlob(blob, source, sink, { ...options, signal, onBytes });
        fetchedBlobs += 1;
        finished();
      }),
    ),
  );
  options.signal?.throwIfAborted();
  return { fetchedBytes, heldBytes, fetchedBlobs, failures };
}

async function pullManifest(
  image: LockedImage,
  digest: Digest,
  source: BlobSource,
  sink: BlobSink,
  signal: AbortSignal,
): Promise<void> {
  if ((await sink.readManifest(digest)) !== undefined) return;
  const fetched = await source.getManifest(atDigest(parseReference(image.source), digest), { signal });
  await sink.writeManifest(digest, fetched.bytes);
}

/**
 * Turns failures into the error a run ends with: wrong bytes (status 6) outrank a registry that refused
 * everything (8), which outranks what another run may still fetch (5).
 */
export function pullError(result: PullResult, images: number): EdgefabError {
  const { failures } = result;
  const codeOf = (failure: PullFailure): string =>
    failure.error instanceof EdgefabError ? failure.error.code : '';
  const corrupt = failures.find(({ error }) => error instanceof EdgefabError && error.exitCode === 6);
  const full = failures.find((failure) => codeOf(failure) === 'DISK_FULL');
  const refused = failures.every(({ error }) => error instanceof EdgefabError && error.exitCode === 8);
  const chosen = corrupt ?? full ?? (refused && result.fetchedBlobs === 0 ? failures[0] : undefined);
  const affected = new Set(failures.flatMap((failure) => failure.images));
  const lines = failures.slice(0, 20).map(({ what, error, images: users }) => {
    const others = users.length > 1 ? ` and ${users.length - 1} more` : '';
    return `  ${what} of ${users[0] ?? '?'}${others}: ${error.message}`;
  });
  if (failures.length > lines.length) lines.push(`  … and ${failures.length - lines.length} more`);
  const cause = chosen?.error;
  return new EdgefabError(`${affected.size} of ${images} images are incomplete:\n${lines.join('\n')}`, {
    code: cause instanceof EdgefabError ? cause.code : 'PULL_INCOMPLETE',
    suggestions: [
      ...(cause instanceof EdgefabError ? cause.suggestions : []),
      'Run the same command again: what is complete is kept and not fetched again',
    ],
    ...(cause === undefined ? {} : { cause }),
  });
}
