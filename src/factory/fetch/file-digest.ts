import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { EdgefabError, hasCode } from '../../errors.ts';
import { type Digest, parseDigest } from '../../oci/digest.ts';

/** Hashes a file; undefined when there is none. Throws FILE_UNREADABLE. */
export async function fileDigest(path: string, signal: AbortSignal): Promise<Digest | undefined> {
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(path, { signal, highWaterMark: 1024 * 1024 }))
      hash.update(chunk as Buffer);
  } catch (cause) {
    if (hasCode(cause, 'ENOENT')) return undefined;
    if (signal.aborted) throw signal.reason;
    throw new EdgefabError(`cannot read ${path}`, { code: 'FILE_UNREADABLE', place: { file: path }, cause });
  }
  return parseDigest(`sha256:${hash.digest('hex')}`);
}
