import { createCipheriv, createHash } from 'node:crypto';

/** Makes bytes that do not compress and are the same in every run. */
export function madeUpBytes(size: number, seed = 'edgefab'): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
