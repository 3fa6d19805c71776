import { createHash } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';

/**
 * Passes a layer's bytes on and hashes them on the way. Throws BLOB_DIGEST_MISMATCH at its end, so what was read
 * from it counts only when the whole was read without a fault.
 */
export async function* verifiedLayer(
  stream: AsyncIterable<Uint8Array>,
  digest: Digest,
  where: string,
): AsyncGenerator<Uint8Array> {
  const hash = createHash('sha256');
  for await (const chunk of stream) {
    hash.update(chunk);
    yield chunk;
  }
  const got = `sha256:${hash.digest('hex')}`;
  if (got !== digest)
    throw new EdgefabError(`a layer of ${where} has digest ${got}, want ${digest}`, {
      code: 'BLOB_DIGEST_MISMATCH',
      place: { image: where },
    });
}
