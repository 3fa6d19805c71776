import type { ReadableImage } from './open-image.ts';

/** Bytes of an image; `end` is the first that no longer belongs. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** A file and where its bytes are. */
interface PlacedFile {
  readonly path: string;
  readonly offset: number;
  readonly sizeBytes: number;
}

/** What a comparison of the bytes outside some spans found. */
export interface ByteComparison {
  readonly same: boolean;
  /** Bytes that were compared, or that only the longer image has. */
  readonly comparedBytes: number;
  readonly differingBytes: number;
  readonly firstOffset: number | null;
  /** Files of the first image with differing bytes, sorted, the first so many; `null` is bytes in no file. */
  readonly files: readonly (string | null)[];
}

const CHUNK_BYTES = 1024 * 1024;
const BLOCK_BYTES = 2048;
const MAX_FILES = 50;

/** Blanks what is not to be compared. */
function mask(chunk: Uint8Array, offset: number, spans: readonly Span[]): void {
  for (const { start, end } of spans) {
    if (start < offset + chunk.length && end > offset) {
      chunk.fill(0, Math.max(0, start - offset), Math.min(chunk.length, end - offset));
    }
  }
}

function maskedBytes(length: number, spans: readonly Span[]): number {
  let total = 0;
  let from = 0;
  for (const { start, end } of [...spans].sort((left, right) => left.start - right.start)) {
    const first = Math.max(start, from);
    const last = Math.min(end, length);
    if (last > first) total += last - first;
    from = Math.max(from, end);
  }
  return total;
}

function holderOf(files: readonly PlacedFile[], offset: number): string | null {
  const holder = files.find(
    (file) => offset < file.offset + file.sizeBytes && offset + BLOCK_BYTES > file.offset,
  );
  return holder?.path ?? null;
}

/**
 * Compares two images outside the spans, a mebibyte at a time, so that images of any size take the same little memory.
 * Bytes that only the longer image has count as differing. `files` name the places. Throws what reading throws, and
 * the reason of `signal`.
 */
export async function compareBytes(
  [a, b]: readonly [ReadableImage, ReadableImage],
  options: {
    readonly spans: readonly Span[];
    readonly files: readonly PlacedFile[];
    readonly signal?: AbortSignal;
  },
): Promise<ByteComparison> {
  const { spans, files, signal } = options;
  const shorter = Math.min(a.sizeBytes, b.sizeBytes);
  const longer = Math.max(a.sizeBytes, b.sizeBytes);
  const found = new Set<string | null>();
  let differing = longer - shorter;
  let first: number | null = null;
  for (let offset = 0; offset < shorter; offset += CHUNK_BYTES) {
    signal?.throwIfAborted();
    const length = Math.min(CHUNK_BYTES, shorter - offset);
    const [left, right] = await Promise.all([a.readAt(offset, length), b.readAt(offset, length)]);
    mask(left, offset, spans);
    mask(right, offset, spans);
    if (Buffer.compare(left, right) === 0) continue;
    for (let block = 0; block < length; block += BLOCK_BYTES) {
      const end = Math.min(block + BLOCK_BYTES, length);
      if (Buffer.compare(left.subarray(block, end), right.subarray(block, end)) === 0) continue;
      for (let at = block; at < end; at += 1) {
        if (left[at] === right[at]) continue;
        differing += 1;
        first ??= offset + at;
      }
      if (found.size < MAX_FILES) found.add(holderOf(files, offset + block));
    }
  }
  return {
    same: differing === 0,
    comparedBytes: longer - maskedBytes(longer, spans),
    differingBytes: differing,
    firstOffset: first ?? (longer > shorter ? shorter : null),
    files: [...found].sort((left, right) => ((left ?? '') < (right ?? '') ? -1 : 1)),
  };
}
