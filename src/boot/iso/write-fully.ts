import type { FileHandle } from 'node:fs/promises';

/** Writes all bytes at an offset of an open file, however many calls the system takes for it. */
export async function writeFully(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
  }
}
