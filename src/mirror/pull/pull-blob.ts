import { EdgefabError, hasCode } from '../../errors.ts';
import type { BlobBody } from '../../oci/client.ts';
import { type ImageReference, parseReference } from '../../oci/reference.ts';
import { isTransient, jittered, type OnRetry } from '../../oci/retry.ts';
import type { WantedBlob } from '../plan/plan.ts';
import type { BlobSink, BlobSource, BlobTarget, PullOptions } from './pull-parts.ts';
import type { WakeWatch } from './wake-watch.ts';

/** First pause before a blob is tried again, in milliseconds; doubled each time, at most 30 s. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** So many new bytes are progress: a line that breaks every minute still gets there, and is not given up. */
const PROGRESS_BYTES = 64 * 1024;

/**
 * Told of each failure after which something is tried again. `push`: the registry or the line gave way, and
 * asked for so many milliseconds without requests.
 */
export type RetryHandler = (error: EdgefabError, waitMs: number, push?: { readonly askedMs: number }) => void;

/** Makes of a retry handler what a client takes: what a registry refused for now is a push. */
export function clientRetries(onRetry: RetryHandler): OnRetry {
  return (error, waitMs, askedMs) =>
    onRetry(error, waitMs, hasCode(error, 'REGISTRY_REFUSED') ? { askedMs } : undefined);
}

export interface BlobOptions extends Pick<PullOptions, 'retryTimes' | 'rateLimit' | 'now' | 'sleep'> {
  readonly signal: AbortSignal;
  readonly onBytes: NonNullable<PullOptions['onBytes']>;
  readonly onRetry: RetryHandler;
  /** After how many bytes the partial is flushed. */
  readonly syncBytes: () => number;
  readonly wakes: WakeWatch;
}

/** What is done about a failure. */
type Remedy = 'give up' | 'from the start' | 'elsewhere' | 'go on';

function isWrong(error: unknown): boolean {
  return hasCode(error, 'BLOB_DIGEST_MISMATCH') || hasCode(error, 'BLOB_SIZE_MISMATCH');
}

function remedyFor(error: unknown): Remedy {
  if (isWrong(error)) return 'from the start';
  if (hasCode(error, 'BLOB_TRUNCATED')) return 'go on';
  // What the client has tried again has had its chances.
  if (isTransient(error)) return 'give up';
  // The rest may be a registry that restarts.
  if (hasCode(error, 'REGISTRY_UNREACHABLE')) return 'go on';
  if (['BLOB_UNKNOWN', 'REGISTRY_UNAUTHORIZED', 'REGISTRY_REFUSED'].some((code) => hasCode(error, code)))
    return 'elsewhere';
  return 'give up';
}

/**
 * Fetches one blob into its target, going on from what an earlier run left there. A body that breaks is
 * continued with a Range request; wrong bytes are fetched from the start once more; a repository that refuses is
 * left for the next that shares the blob. A failure that brought bytes, or that came while this machine stood
 * still, does not count against `retryTimes`.
 */
export async function pullBlob(
  blob: WantedBlob,
  source: BlobSource,
  sink: BlobSink,
  options: BlobOptions,
): Promise<void> {
  const repositories = [...new Set(blob.images.map((image) => image.source))].map(parseReference);
  const target = await sink.openBlob(blob);
  try {
    if (target.offset > 0) options.onBytes(target.offset, 'held');
    await attempts(blob, repositories, source, target, options);
  } finally {
    // What arrived is kept as far as the disk lets it; the failure that brought us here is what is told.
    await target.suspend().catch(() => undefined);
  }
}

async function attempts(
  blob: WantedBlob,
  repositories: readonly ImageReference[],
  source: BlobSource,
  target: BlobTarget,
  options: BlobOptions,
): Promise<void> {
  const { now, signal, retryTimes } = options;
  let at = 0;
  let refusals = 0;
  let wrong = 0;
  let fruitless = 0;
  let furthest = target.offset;
  for (;;) {
    const repository = repositories[at % repositories.length];
    if (repository === undefined) throw new RangeError(`blob ${blob.digest} belongs to no image`);
    const startedMs = now().getTime();
    const retry = async (error: unknown, waitMs: number): Promise<void> => {
      options.onRetry(error as EdgefabError, waitMs, waitMs > 0 ? { askedMs: 0 } : undefined);
      if (waitMs > 0) await options.sleep(waitMs, signal);
    };
    let had = target.offset;
    try {
      const body =
        had < blob.sizeBytes ? await copyBody(blob, repository, source, target, options) : undefined;
      had = target.offset;
      await target.finish().catch((error: unknown) => {
        if (isWrong(error)) body?.distrust?.();
        throw error;
      });
      return;
    } catch (error) {
      if (signal.aborted) throw error;
      had = Math.max(had, target.offset);
      const isLine = hasCode(error, 'BLOB_TRUNCATED') || hasCode(error, 'REGISTRY_UNREACHABLE');
      if (isLine && options.wakes.stoodStillSince(startedMs)) {
        await retry(error, 0);
        continue;
      }
      switch (remedyFor(error)) {
        case 'give up':
          throw error;
        case 'from the start':
          options.onBytes(had, 'lost');
          await target.restart();
          wrong += 1;
          if (wrong > 1) throw error;
          furthest = 0;
          at += 1;
          await retry(error, 0);
          break;
        case 'elsewhere':
          refusals += 1;
          if (refusals >= repositories.length) throw error;
          at += 1;
          await retry(error, 0);
          break;
        case 'go on': {
          fruitless = target.offset >= furthest + PROGRESS_BYTES ? 0 : fruitless + 1;
          furthest = Math.max(furthest, target.offset);
          if (fruitless > retryTimes) throw error;
          const ownMs = Math.min(FIRST_PAUSE_MS * 2 ** fruitless, LONGEST_PAUSE_MS);
          await retry(error, jittered(ownMs, `${blob.digest} ${fruitless} ${startedMs}`));
          break;
        }
      }
    }
  }
}

async function copyBody(
  blob: WantedBlob,
  repository: ImageReference,
  source: BlobSource,
  target: BlobTarget,
  options: BlobOptions,
): Promise<BlobBody> {
  const { signal, rateLimit, onBytes } = options;
  const onRetry = clientRetries(options.onRetry);
  const body = await source.openBlob(repository, blob.digest, { offset: target.offset, signal, onRetry });
  try {
    // A server may ignore Range and send everything: then what is there is not continued but replaced.
    if (body.status === 200 && target.offset > 0) {
      onBytes(target.offset, 'lost');
      await target.restart();
    }
    assertPromise(blob, body, target.offset);
    for await (const chunk of body.stream) {
      signal.throwIfAborted();
      // Each time, as the line is measured while it runs.
      target.syncEvery(options.syncBytes());
      const bytes = chunk as Uint8Array;
      await rateLimit?.take(bytes.length, signal);
      await target.write(bytes);
      onBytes(bytes.length, 'network');
    }
    return body;
  } catch (error) {
    if (isWrong(error)) body.distrust?.();
    throw asTransfer(error, blob, target.offset);
  } finally {
    body.stream.destroy();
  }
}

/** Refuses a body that says it has another size than the blob, before its bytes cross the line. */
function assertPromise(blob: WantedBlob, { status, sizeBytes }: BlobBody, offset: number): void {
  if (sizeBytes === undefined) return;
  const end = offset + sizeBytes;
  // A 206 may be a part of what was asked for; the rest is asked for next.
  if (end === blob.sizeBytes || (status === 206 && end < blob.sizeBytes)) return;
  throw new EdgefabError(
    `blob ${blob.digest} has the wrong size: the registry promises ${end} bytes, want ${blob.sizeBytes}`,
    { code: 'BLOB_SIZE_MISMATCH' },
  );
}

/** Names a broken body as what it is; errors with a code of ours come back as they were. */
function asTransfer(error: unknown, blob: WantedBlob, offset: number): unknown {
  if (error instanceof EdgefabError) return error;
  if (error instanceof Error && error.name === 'AbortError') return error;
  return new EdgefabError(`blob ${blob.digest} was cut short: got ${offset} of ${blob.sizeBytes} bytes`, {
    code: 'BLOB_TRUNCATED',
    cause: error,
  });
}
