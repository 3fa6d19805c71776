import { open } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import type { Ignition } from './ignition.ts';
import { MAX_IGNITION_BYTES, parseIgnition } from './parse-ignition.ts';

/** Loads an Ignition config, reading no more than its size limit. Throws FILE_UNREADABLE, IGNITION_INVALID. */
export async function loadIgnition(path: string): Promise<Ignition> {
  let bytes: Uint8Array;
  try {
    await using file = await open(path, 'r');
    const { size } = await file.stat();
    // One byte more than allowed is enough to tell that the file is too big.
    const buffer = Buffer.alloc(Math.min(size, MAX_IGNITION_BYTES + 1));
    let length = 0;
    for (;;) {
      const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
      length += bytesRead;
      if (bytesRead === 0 || length === buffer.length) break;
    }
    bytes = buffer.subarray(0, length);
  } catch (cause) {
    throw new EdgefabError(`the Ignition config ${path} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      cause,
    });
  }
  return parseIgnition(bytes, path);
}
