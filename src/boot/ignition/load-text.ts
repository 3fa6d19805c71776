import { open } from 'node:fs/promises';
import { EdgefabError, type ErrorCode } from '../../errors.ts';

export interface LoadTextOptions {
  /** What the file is, for messages: `the Ignition config`. */
  readonly what: string;
  readonly maxBytes: number;
  /** The code for a file that is too big or no UTF-8. */
  readonly code: ErrorCode;
}

/** Loads a text file, reading no more than its limit. Throws FILE_UNREADABLE, and the code given. */
export async function loadText(path: string, { what, maxBytes, code }: LoadTextOptions): Promise<string> {
  let bytes: Uint8Array;
  try {
    bytes = await readUpTo(path, maxBytes + 1);
  } catch (cause) {
    throw new EdgefabError(`${what} ${path} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      cause,
    });
  }
  if (bytes.length > maxBytes) {
    throw new EdgefabError(`${path}: ${what} has more than ${maxBytes} bytes`, {
      code,
      place: { file: path },
    });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new EdgefabError(`${path}: not UTF-8 text, so it cannot be ${what}`, {
      code,
      place: { file: path },
      cause,
    });
  }
}

async function readUpTo(path: string, most: number): Promise<Uint8Array> {
  await using file = await open(path, 'r');
  const { size } = await file.stat();
  const buffer = Buffer.alloc(Math.min(size, most));
  let length = 0;
  while (length < buffer.length) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    if (bytesRead === 0) break;
    length += bytesRead;
  }
  return buffer.subarray(0, length);
}
