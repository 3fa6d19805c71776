import { once } from 'node:events';
import type { Writable } from 'node:stream';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { IsoSource } from './iso-source.ts';
import { openImage } from './open-image.ts';
import type { Region } from './plan-site-iso.ts';

/** Waits until the sink has taken all that was written to it. */
function flushed(sink: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    sink.write(new Uint8Array(), (error) => {
      if (error == null) resolve();
      else reject(error);
    });
  });
}

const CHUNK_BYTES = 1024 * 1024;

/** Lays what regions hold of a chunk over it; `at` is where the chunk begins. */
function layOver(chunk: Uint8Array, at: number, regions: readonly Region[]): void {
  for (const { offset, bytes } of regions) {
    const from = Math.max(offset, at);
    const to = Math.min(offset + bytes.length, at + chunk.length);
    if (from < to) chunk.set(bytes.subarray(from - offset, to - offset), from - at);
  }
}

/**
 * Streams an ISO with regions laid over it, no faster than the sink takes it, and leaves the sink open. Throws
 * ISO_CHANGED when the source was written to meanwhile (what went out is then of no use), OUTPUT_BROKEN when the sink
 * fails.
 */
export async function streamPatched(
  source: Pick<IsoSource, 'image' | 'assertUnchanged'>,
  regions: readonly Region[],
  sink: Writable,
  signal: AbortSignal,
): Promise<void> {
  const { path, sizeBytes } = source.image;
  await using image = await openImage(path);
  const broken = new AbortController();
  const fail = (error: Error): void => broken.abort(error);
  sink.once('error', fail);
  try {
    for (let at = 0; at < sizeBytes; at += CHUNK_BYTES) {
      signal.throwIfAborted();
      broken.signal.throwIfAborted();
      const want = Math.min(CHUNK_BYTES, sizeBytes - at);
      const chunk = await image.readAt(at, want);
      if (chunk.length !== want) {
        throw new EdgefabError(`ISO ${path} ended at byte ${at + chunk.length}, want ${sizeBytes}`, {
          code: 'ISO_CHANGED',
          place: { file: path },
          suggestions: ['Wait until nothing writes to it any more, and run again'],
        });
      }
      layOver(chunk, at, regions);
      if (!sink.write(chunk)) {
        await once(sink, 'drain', { signal: AbortSignal.any([signal, broken.signal]) });
      }
    }
    await flushed(sink);
    await source.assertUnchanged();
  } catch (error) {
    if (!broken.signal.aborted && !hasCode(error, 'EPIPE')) throw error;
    throw new EdgefabError(`the output of ${path} was cut off: whoever read it has gone`, {
      code: 'OUTPUT_BROKEN',
      suggestions: ['See why the other program ended, and run again'],
      cause: broken.signal.aborted ? broken.signal.reason : error,
    });
  } finally {
    sink.off('error', fail);
  }
}
