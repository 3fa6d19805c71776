import { EdgefabError, hasCode } from '../../errors.ts';
import { type ImageReference, parseReference } from '../../oci/reference.ts';
import type { WantedBlob } from '../plan/plan.ts';
import type { BlobSink, BlobSource, BlobTarget, PullOptions } from './pull-parts.ts';

/** First pause before a blob is tried again, in milliseconds; doubled each time, at most 30 s. */
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

type BlobOptions = Pick<PullOptions, 'retryTimes' | 'sleep'> & {
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number, from: 'network' | 'held') => void;
};

/** Tells whether trying again may help: not for wrong credentials, a full disk, or wrong bytes twice. */
function mayPass(error: unknown): boolean {
  return (
    hasCode(error, 'BLOB_TRUNCATED') ||
    hasCode(error, 'BLOB_DIGEST_MISMATCH') ||
    hasCode(error, 'BLOB_SIZE_MISMATCH') ||
    hasCode(error, 'REGISTRY_UNREACHABLE')
  );
}

/**
 * Fetches one blob into its target, going on from what an earlier run left there. A body that breaks is
 * continued with a Range request; wrong bytes are fetched from the start once more, from the next image that
 * shares the blob when there is one.
 */
export async function pullBlob(
  blob: WantedBlob,
  source: BlobSource,
  sink: BlobSink,
  options: BlobOptions,
): Promise<void> {
  let wrong = 0;
  for (let tried = 0; ; tried += 1) {
    const image = blob.images[tried % blob.images.length];
    if (image === undefined) throw new RangeError(`blob ${blob.digest} belongs to no image`);
    const target = await sink.openBlob(blob);
    const before = target.offset;
    try {
      if (tried === 0 && before > 0) options.onBytes(before, 'held');
      if (before < blob.sizeBytes)
        await copyBody(blob, parseReference(image.source), source, target, options);
      await target.finish();
      return;
    } catch (error) {
      await discardOrKeep(error, target);
      if (hasCode(error, 'BLOB_DIGEST_MISMATCH') || hasCode(error, 'BLOB_SIZE_MISMATCH')) wrong += 1;
      if (options.signal.aborted || !mayPass(error) || wrong > 1 || tried >= options.retryTimes) throw error;
      await options.sleep(Math.min(FIRST_PAUSE_MS * 2 ** tried, LONGEST_PAUSE_MS), options.signal);
    }
  }
}

/** Keeps a partial that may be continued; too many bytes or a wrong digest start again from nothing. */
async function discardOrKeep(error: unknown, target: BlobTarget): Promise<void> {
  const isWrong = hasCode(error, 'BLOB_DIGEST_MISMATCH') || hasCode(error, 'BLOB_SIZE_MISMATCH');
  try {
    if (isWrong) await target.restart();
  } finally {
    await target.suspend().catch(() => undefined);
  }
}

async function copyBody(
  blob: WantedBlob,
  repository: ImageReference,
  source: BlobSource,
  target: BlobTarget,
  options: BlobOptions,
): Promise<void> {
  const { signal } = options;
  const body = await source.openBlob(repository, blob.digest, { offset: target.offset, signal });
  try {
    // A server may ignore Range and send everything: then what is there is not continued but replaced.
    if (body.status === 200 && target.offset > 0) {
      options.onBytes(-target.offset, 'held');
      await target.restart();
    }
    for await (const chunk of body.stream) {
      signal.throwIfAborted();
      const bytes = chunk as Uint8Array;
      await target.write(bytes);
      options.onBytes(bytes.length, 'network');
    }
  } catch (error) {
    throw asTransfer(error, blob, target.offset);
  } finally {
    body.stream.destroy();
  }
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
