import { open } from 'node:fs/promises';
import { EdgefabError, type ErrorCode, hasCode } from '../errors.ts';

export interface ConfigFileRules {
  readonly maxBytes: number;
  /** The code for a file that is larger. */
  readonly tooLarge: ErrorCode;
  /** What it is, for messages: "the authentication file". */
  readonly what: string;
}

/**
 * Reads a small text file; undefined when it is not there. Throws FILE_UNREADABLE, and the rules' code for a
 * file that is larger than its kind ever is.
 */
export async function readConfigFile(path: string, rules: ConfigFileRules): Promise<string | undefined> {
  const { maxBytes, tooLarge, what } = rules;
  try {
    await using file = await open(path, 'r');
    const buffer = Buffer.alloc(maxBytes + 1);
    let size = 0;
    while (size < buffer.length) {
      const { bytesRead } = await file.read(buffer, size, buffer.length - size);
      if (bytesRead === 0) return buffer.toString('utf8', 0, size);
      size += bytesRead;
    }
  } catch (cause) {
    if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENOTDIR')) return undefined;
    throw new EdgefabError(`${what} ${path} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      cause,
    });
  }
  throw new EdgefabError(`${path}: the file is larger than ${maxBytes} bytes`, {
    code: tooLarge,
    place: { file: path },
  });
}
