import { EdgefabError, hasCode } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { atDigest, parseReference } from '../../oci/reference.ts';
import { isTransient } from '../../oci/retry.ts';
import { uniqueBlobs, type WantedBlob } from '../plan/plan.ts';
import type { LockedImage } from '../resolve/lock.ts';
import { type ByHost, runByHost } from './by-host.ts';
import { createHostWidth, type HostWidth } from './host-width.ts';
import { countImages, imageName, manifestsOf } from './image-count.ts';
import { measureLineRate } from './line-rate.ts';
import { clientRetries, pullBlob, type RetryHandler } from './pull-blob.ts';
import type { BlobSink, BlobSource, PullOptions } from './pull-parts.ts';
import type { PullFailure, PullResult } from './pull-result.ts';
import { watchWakes } from './wake-watch.ts';

const MIB = 1024 * 1024;
/** 50 Mbit/s in bytes per second. A slower line has time for a flush every MiB, which a power cut then costs. */
const SLOW_LINE = 50e6 / 8;
/** A request costs a thin line about as much as this many bytes: small blobs are judged by it. */
const REQUEST_WORTH_BYTES = 256 * 1024;
/** After so many transfers in a row failed for good, the rest of that registry is not tried in this run. */
const LOST_AFTER = 3;

/** A manifest or a blob to fetch, by whom it is needed. */
interface Task {
  readonly what: string;
  readonly digest: Digest;
  readonly images: readonly LockedImage[];
  readonly blob?: WantedBlob;
}

function hostOf({ images }: Task): string {
  return images[0] === undefined ? '' : parseReference(images[0].source).domain;
}

function manifestTasks(images: readonly LockedImage[]): Task[] {
  const users = new Map<Digest, LockedImage[]>();
  for (const image of images)
    for (const digest of manifestsOf(image)) users.set(digest, [...(users.get(digest) ?? []), image]);
  return [...users].map(([digest, list]) => ({ what: `manifest ${digest}`, digest, images: list }));
}

/**
 * Brings every manifest and every blob of the images into the store: each once, whoever shares it, the largest
 * first. What fails does not stop the rest; a disk that fails, a registry that is lost, and an interruption do.
 * The result lists what is missing.
 */
export async function pull(
  images: readonly LockedImage[],
  source: BlobSource,
  sink: BlobSink,
  options: PullOptions,
): Promise<PullResult> {
  const { onEvent = () => {} } = options;
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const failures: PullFailure[] = [];
  const widths = new Map<string, HostWidth>();
  const lost = new Map<string, { inARow: number; error: Error }>();
  const line = measureLineRate(options);
  const wakes = watchWakes(options);
  const total = { fetched: 0, held: 0, blobs: 0, retries: 0 };
  const count = countImages(images, (image, done, all) =>
    onEvent({ kind: 'image', image, done, total: all }),
  );
  let running: ByHost | undefined;

  const widthOf = (host: string): HostWidth => {
    const known = widths.get(host);
    if (known !== undefined) return known;
    const made = createHostWidth(options.parallel, options, (width, reason) => {
      onEvent({ kind: 'streams', host, width, reason });
      running?.changed();
    });
    widths.set(host, made);
    return made;
  };
  const failed = (task: Task, reason: unknown): void => {
    const error = reason instanceof Error ? reason : new Error(String(reason));
    const users = task.images.map(imageName);
    failures.push({ what: task.what, images: users, error });
    onEvent({ kind: 'failed', what: task.what, images: users, reason: error.message });
    // Nothing else can be written either, and trying would only fill the screen.
    if (hasCode(error, 'DISK_FULL') || hasCode(error, 'DISK_FAILED')) stop.abort();
    if (!hasCode(error, 'REGISTRY_UNREACHABLE') && !isTransient(error)) return;
    const host = hostOf(task);
    if ((lost.get(host)?.inARow ?? 0) >= LOST_AFTER) return;
    lost.set(host, { inARow: (lost.get(host)?.inARow ?? 0) + 1, error });
  };
  const run = async (
    tasks: readonly Task[],
    fetch: (task: Task, onRetry: RetryHandler, worked: (bytes: number) => void) => Promise<void>,
  ): Promise<void> => {
    const work = async (task: Task, width: HostWidth, isBusy: () => boolean): Promise<void> => {
      const host = hostOf(task);
      const given = lost.get(host);
      if (given !== undefined && given.inARow >= LOST_AFTER) {
        failed(task, notTried(host, given.error));
        return;
      }
      const worked = (bytes: number): void => width.worked(bytes, isBusy());
      const onRetry: RetryHandler = (error, waitMs, push) => {
        total.retries += 1;
        if (push !== undefined) width.pushedBack(push.askedMs);
        const [image] = task.images;
        const name = image === undefined ? '' : imageName(image);
        onEvent({ kind: 'retry', what: task.what, image: name, reason: error.message, waitMs });
      };
      try {
        await fetch(task, onRetry, worked);
        worked(REQUEST_WORTH_BYTES);
        lost.delete(host);
        count.arrived(task.digest);
      } catch (error) {
        if (!signal.aborted) failed(task, error);
      }
    };
    running = runByHost(tasks, { ceiling: options.parallel, hostOf, widthOf, signal, work }, options);
    await running.done;
  };

  try {
    const blobs = uniqueBlobs(images);
    const held = await sink.heldBlobs(blobs);
    const missing: Task[] = [];
    let done = 0;
    const finished = ({ digest, sizeBytes }: WantedBlob): void => {
      done += 1;
      onEvent({ kind: 'blob', digest, sizeBytes, done, total: blobs.length });
    };
    for (const blob of blobs) {
      const { digest, images: users } = blob;
      if (!held.has(digest)) {
        missing.push({ what: `blob ${digest}`, digest, images: users, blob });
        continue;
      }
      total.held += blob.sizeBytes;
      options.onBytes?.(blob.sizeBytes, 'held');
      finished(blob);
      count.arrived(digest);
    }
    const pullManifest = async ({ digest, images: [image] }: Task, onRetry: RetryHandler): Promise<void> => {
      if (image === undefined || (await sink.readManifest(digest)) !== undefined) return;
      const reference = atDigest(parseReference(image.source), digest);
      const fetched = await source.getManifest(reference, { signal, onRetry: clientRetries(onRetry) });
      await sink.writeManifest(digest, fetched.bytes);
    };
    // Manifests first, as without them nothing else is worth having; the line does not wait for their flushes.
    await run([...manifestTasks(images), ...missing], async (task, onRetry, worked) => {
      const { blob } = task;
      if (blob === undefined) return await pullManifest(task, onRetry);
      await pullBlob(blob, source, sink, {
        ...options,
        signal,
        wakes,
        onRetry,
        syncBytes: () => ((line.bytesPerSecond() ?? 0) <= SLOW_LINE ? MIB : 16 * MIB),
        onBytes: (bytes, from) => {
          if (from === 'held') total.held += bytes;
          if (from === 'network') {
            total.fetched += bytes;
            line.add(bytes);
            worked(bytes);
          }
          options.onBytes?.(bytes, from);
        },
      });
      total.blobs += 1;
      finished(blob);
    });
  } finally {
    wakes.stop();
  }
  options.signal?.throwIfAborted();
  return {
    fetchedBytes: total.fetched,
    heldBytes: total.held,
    fetchedBlobs: total.blobs,
    completeImages: count.complete,
    retries: total.retries,
    failures,
  };
}

function notTried(host: string, cause: Error): EdgefabError {
  return new EdgefabError(`not tried, as ${host} was lost in this run: ${cause.message}`, {
    code: 'REGISTRY_UNREACHABLE',
    cause,
  });
}
