import { createHash } from 'node:crypto';
import { EdgefabError } from '../../../errors.ts';
import type { Descriptor } from '../../../oci/manifest.ts';
import type { ImageReference } from '../../../oci/reference.ts';
import type { BlobOpener } from './content-sources.ts';
import { payloadFault } from './payload-fault.ts';
import { openTarSearch } from './tar-search.ts';
import { openUnpacker } from './unpacker.ts';

export interface LayerSearchOptions {
  readonly repository: ImageReference;
  /** Names the image in errors. */
  readonly where: string;
  readonly maxFileBytes: number;
  readonly signal?: AbortSignal;
}

export interface LayerFindings {
  readonly files: ReadonlyMap<string, Buffer>;
  /** Whether this layer takes a path away from the layers below. */
  hides(path: string): boolean;
  /** Whether the layer was read to its end and has its digest. */
  readonly verified: boolean;
}

/** Text packs ten to one; what unpacks to more than this is a bomb. */
const MAX_RATIO = 100;
const MIN_UNPACKED_LIMIT_BYTES = 256 * 1024 * 1024;
/** How much of a layer is still fetched, only to be hashed, after everything was found. */
const MAX_REMAINDER_BYTES = 64 * 1024 * 1024;

/**
 * Looks for files in one layer while it streams, unpacked and never written. Once all are found nothing more is
 * unpacked; the rest is still fetched and hashed when it is at most 64 MiB, so what was found is proven to
 * be the layer's, otherwise the transfer is ended and `verified` is false. Throws PAYLOAD_INVALID for a
 * hostile or broken tar, BLOB_DIGEST_MISMATCH, BLOB_SIZE_MISMATCH, BLOB_TRUNCATED.
 */
export async function searchLayer(
  layer: Descriptor,
  wanted: readonly string[],
  blobs: BlobOpener,
  options: LayerSearchOptions,
): Promise<LayerFindings> {
  const { repository, where, maxFileBytes, signal } = options;
  const bad = (what: string, cause?: unknown): EdgefabError =>
    payloadFault(where, `layer ${layer.digest}: ${what}`, cause === undefined ? {} : { cause });
  const wrongBytes = (code: 'BLOB_SIZE_MISMATCH' | 'BLOB_DIGEST_MISMATCH' | 'BLOB_TRUNCATED', what: string) =>
    new EdgefabError(`layer ${layer.digest} of ${where} ${what}`, { code, place: { image: where } });

  const limit = Math.max(MIN_UNPACKED_LIMIT_BYTES, layer.sizeBytes * MAX_RATIO);
  const search = openTarSearch(wanted, maxFileBytes);
  const complete = (): boolean => wanted.every((path) => search.found.has(path));
  let unpackedBytes = 0;
  const unpacker = openUnpacker(async (block) => {
    if (complete()) return;
    unpackedBytes += block.length;
    if (unpackedBytes > limit)
      throw new Error(`it unpacks to more than ${limit} bytes from ${layer.sizeBytes}`);
    await search.write(block);
  });
  let fault: EdgefabError | undefined;
  /** Goes on after a fault, to hash: bytes that are not the layer's say nothing about the layer. */
  const unpack = async (step: () => Promise<void>): Promise<void> => {
    try {
      if (fault === undefined && !complete()) await step();
    } catch (cause) {
      fault = bad(cause instanceof Error ? cause.message : 'it cannot be unpacked', cause);
    }
  };

  const hash = createHash('sha256');
  let receivedBytes = 0;
  let aborted = false;
  const { stream } = await blobs.openBlob(repository, layer.digest, signal === undefined ? {} : { signal });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      receivedBytes += chunk.length;
      if (receivedBytes > layer.sizeBytes)
        throw wrongBytes(
          'BLOB_SIZE_MISMATCH',
          `has more than the ${layer.sizeBytes} bytes its manifest tells`,
        );
      hash.update(chunk);
      await unpack(() => unpacker.write(chunk));
      const done = fault !== undefined || complete();
      if (done && layer.sizeBytes - receivedBytes > MAX_REMAINDER_BYTES) {
        aborted = true;
        break;
      }
    }
    if (!aborted && receivedBytes < layer.sizeBytes)
      throw wrongBytes('BLOB_TRUNCATED', `ended after ${receivedBytes} of ${layer.sizeBytes} bytes`);
    const digest = `sha256:${hash.digest('hex')}`;
    if (!aborted && digest !== layer.digest)
      throw wrongBytes('BLOB_DIGEST_MISMATCH', `has digest ${digest} after ${receivedBytes} bytes`);
    await unpack(() => unpacker.end());
    await unpack(() => search.end());
    if (fault !== undefined) throw fault;
  } finally {
    stream.destroy();
    unpacker.destroy();
    search.destroy();
  }
  return { files: search.found, hides: search.hides, verified: !aborted };
}
