import { createHash } from 'node:crypto';

/** Makes bytes that do not compress and are the same in every run. */
export function madeUpBytes(size: number, seed = 'edgefab'): Buffer {
  const blocks: Buffer[] = [];
  for (let index = 0; index * 32 < size; index += 1) {
    blocks.push(createHash('sha256').update(`${seed} ${index}`).digest());
  }
  return Buffer.concat(blocks).subarray(0, size);
}
