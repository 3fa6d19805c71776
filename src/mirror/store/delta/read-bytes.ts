import type { FileHandle } from 'node:fs/promises';
import { EdgefabError } from '../../../errors.ts';

const CHUNK_BYTES = 1024 * 1024;

/** Reads a range of a file in chunks that the caller may keep. Throws BLOB_TRUNCATED when the file ends before it. */
export async function* readBytes(
  file: FileHandle,
  path: string,
  offset: number,
  sizeBytes: number,
): AsyncGenerator<Uint8Array> {
  for (let done = 0; done < sizeBytes; ) {
    const wanted = Math.min(CHUNK_BYTES, sizeBytes - done);
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(wanted), 0, wanted, offset + done);
    if (bytesRead === 0) {
      throw new EdgefabError(`${path} ends at byte ${offset + done}, want ${offset + sizeBytes}`, {
        code: 'BLOB_TRUNCATED',
        place: { file: path },
      });
    }
    done += bytesRead;
    yield buffer.subarray(0, bytesRead);
  }
}
