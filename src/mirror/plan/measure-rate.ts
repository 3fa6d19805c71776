import { EdgefabError } from '../../errors.ts';
import { type ImageReference, parseReference } from '../../oci/reference.ts';
import type { BlobOpener } from '../resolve/payload/content-sources.ts';
import type { WantedBlob } from './plan.ts';

/** The time in which a connection reaches its speed; what comes in it does not count. */
const WARM_UP_MS = 1000;
const MEASURED_MS = 4000;
/** Enough to know a fast line; the bytes are thrown away. */
const ENOUGH_BYTES = 64 * 1024 * 1024;

/**
 * Measures the line, in bytes per second, by reading the largest wanted blobs for some seconds, `parallel` at a
 * time as a pull does, and throwing the bytes away. Undefined when there is nothing to fetch. `now` is in
 * milliseconds. Throws what the registry refuses with.
 */
export async function measureRate(
  blobs: readonly WantedBlob[],
  source: BlobOpener,
  options: { readonly parallel: number; readonly signal?: AbortSignal; readonly now: () => number },
): Promise<number | undefined> {
  if (blobs.length === 0) return undefined;
  const end = new AbortController();
  const signal = AbortSignal.any([end.signal, ...(options.signal === undefined ? [] : [options.signal])]);
  const startedMs = options.now();
  const timer = setTimeout(() => end.abort(), WARM_UP_MS + MEASURED_MS);
  let allBytes = 0;
  let warm: { bytes: number; ms: number } | undefined;
  let lastMs = startedMs;
  const count = (bytes: number): void => {
    allBytes += bytes;
    lastMs = options.now();
    if (warm === undefined && lastMs - startedMs >= WARM_UP_MS) warm = { bytes: allBytes, ms: lastMs };
    if (allBytes >= ENOUGH_BYTES) end.abort();
  };
  const queue = [...blobs];
  const read = async (): Promise<void> => {
    for (let blob = queue.shift(); blob !== undefined && !signal.aborted; blob = queue.shift()) {
      const { stream } = await source.openBlob(repositoryOf(blob), blob.digest, { signal });
      for await (const chunk of stream) count((chunk as Uint8Array).length);
    }
  };
  try {
    await Promise.all(Array.from({ length: options.parallel }, read));
  } catch (error) {
    if (!end.signal.aborted || options.signal?.aborted === true) throw error;
  } finally {
    clearTimeout(timer);
    end.abort();
  }
  const from = warm !== undefined && lastMs > warm.ms ? warm : { bytes: 0, ms: startedMs };
  const rate = ((allBytes - from.bytes) * 1000) / Math.max(lastMs - from.ms, 1);
  if (rate > 0) return rate;
  throw new EdgefabError('the line gave no byte while its speed was measured', {
    code: 'REGISTRY_UNREACHABLE',
    suggestions: ['Give the speed yourself, for example --rate 20Mbit'],
  });
}

function repositoryOf(blob: WantedBlob): ImageReference {
  const [image] = blob.images;
  if (image === undefined) throw new RangeError(`blob ${blob.digest} belongs to no image`);
  return parseReference(image.source);
}
