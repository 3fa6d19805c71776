import { type FileHandle, open } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import type { ReadAt } from '../../formats/iso9660.ts';

/** An image to read from; `path` is for messages. */
export interface ReadableImage {
  readonly path: string;
  readonly sizeBytes: number;
  readonly readAt: ReadAt;
}

/** An image open for reading; give it to `await using`, or close it. */
export interface OpenImage extends ReadableImage, AsyncDisposable {}

async function readFully(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/**
 * Opens an image file for bounded reads. Throws FILE_UNREADABLE when it is absent, shut to us or no regular file,
 * USAGE_INVALID for `-`.
 */
export async function openImage(path: string): Promise<OpenImage> {
  if (path === '-') {
    throw new EdgefabError(
      'an ISO cannot be read from stdin: its areas are found by going back and forth in it',
      {
        code: 'USAGE_INVALID',
        suggestions: ['Save it to a file and name that; a file called "-" is ./-'],
      },
    );
  }
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw new EdgefabError(`ISO image ${path} cannot be opened`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      suggestions: ['Check the name; the ISO must be a file that you may read'],
      cause,
    });
  }
  const stats = await file.stat();
  if (!stats.isFile()) {
    await file.close();
    throw new EdgefabError(`${path} is not a regular file: want an ISO image file`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      suggestions: ['Copy a stick or disc into a file first (dd), then name that'],
    });
  }
  return {
    path,
    sizeBytes: stats.size,
    readAt: (offset, length) => readFully(file, offset, length),
    [Symbol.asyncDispose]: () => file.close(),
  };
}
