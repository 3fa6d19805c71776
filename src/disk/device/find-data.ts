import type { FileHandle } from 'node:fs/promises';

const EDGE_BYTES = 1024 * 1024;
const SAMPLE_BYTES = 4096;
/** Enough to meet what fills a disk, such as one that is encrypted without a header, and soon done on a slow stick. */
const SAMPLES = 64;

/**
 * Looks for bytes that are not zero: in the first and the last MiB of a device, and at places spread evenly between.
 * Returns the offset of the first found, or undefined.
 */
export async function findData(file: FileHandle, sizeBytes: number): Promise<number | undefined> {
  const step = Math.floor(sizeBytes / (SAMPLES + 1) / SAMPLE_BYTES) * SAMPLE_BYTES;
  const middle = Array.from({ length: step > 0 ? SAMPLES : 0 }, (_, index) => (index + 1) * step);
  const places = [
    { offset: 0, length: EDGE_BYTES },
    ...middle.map((offset) => ({ offset, length: SAMPLE_BYTES })),
    { offset: Math.max(0, sizeBytes - EDGE_BYTES), length: EDGE_BYTES },
  ];
  const block = Buffer.alloc(EDGE_BYTES);
  for (const { offset, length } of places) {
    const { bytesRead } = await file.read(block, 0, Math.min(length, sizeBytes - offset), offset);
    const at = block.subarray(0, bytesRead).findIndex((byte) => byte !== 0);
    if (at >= 0) return offset + at;
  }
  return undefined;
}
