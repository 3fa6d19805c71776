import { createHash } from 'node:crypto';
import { type FileHandle, open, realpath } from 'node:fs/promises';
import { EdgefabError } from '../../errors.ts';
import { showText } from '../../formats/shown-text.ts';

/** ECMA-119 8.4: the first volume descriptor is in sector 16, its identifier at 1, the volume's name at 40. */
const DESCRIPTOR = {
  offset: 16 * 2048,
  bytes: 2048,
  id: 1,
  idText: 'CD001',
  volumeId: 40,
  volumeIdBytes: 32,
};
/** The mark at the end of the first sector without which firmware sees neither boot code nor a partition table. */
const MBR = { offset: 510, mark: 0xaa55 };

/** A part of an image that is written, and checked, in one go. */
export interface ImageBlock {
  readonly offset: number;
  readonly length: number;
}

/** An ISO that is open for as long as sticks are made of it: what replaces it under its name is not read. */
export interface BootImage {
  readonly path: string;
  readonly file: FileHandle;
  readonly sizeBytes: number;
  readonly volumeId: string;
  /** Whether it has a partition table too, as a stick must for most machines to boot it. */
  readonly isHybrid: boolean;
}

export interface ImageDigests {
  readonly sha256: string;
  /** SHA-256 of each block, in the order of `imageBlocks`. */
  readonly blocks: readonly Buffer[];
}

/** What is written last; all that firmware looks at first is in it: boot code, partition table, volume descriptor. */
export const HEAD_BYTES = 1024 * 1024;
/** Large enough for the speed of any stick, small enough that ten at once take little memory. */
export const BLOCK_BYTES = 4 * 1024 * 1024;

/** Cuts an image in the blocks it is written in: its head, then larger ones. */
export function imageBlocks(sizeBytes: number): ImageBlock[] {
  const blocks = [{ offset: 0, length: Math.min(HEAD_BYTES, sizeBytes) }];
  for (let offset = HEAD_BYTES; offset < sizeBytes; offset += BLOCK_BYTES)
    blocks.push({ offset, length: Math.min(BLOCK_BYTES, sizeBytes - offset) });
  return blocks;
}

/** Opens an ISO for reading; the caller closes its file. Throws FILE_UNREADABLE, ISO_INVALID. */
export async function openBootImage(path: string): Promise<BootImage> {
  let file: FileHandle;
  try {
    file = await open(path, 'r');
  } catch (cause) {
    throw new EdgefabError(`cannot read the ISO ${path}`, {
      code: 'FILE_UNREADABLE',
      suggestions: ['Build it first: edgefab iso'],
      place: { file: path },
      cause,
    });
  }
  try {
    const stats = await file.stat();
    const refuse = (problem: string): EdgefabError =>
      new EdgefabError(`${path} is no ISO: ${problem}`, { code: 'ISO_INVALID', place: { file: path } });
    if (!stats.isFile()) throw refuse('want a regular file');
    const descriptor = Buffer.alloc(DESCRIPTOR.bytes);
    const { bytesRead } = await file.read(descriptor, 0, DESCRIPTOR.bytes, DESCRIPTOR.offset);
    const id = descriptor.toString('latin1', DESCRIPTOR.id, DESCRIPTOR.id + DESCRIPTOR.idText.length);
    if (bytesRead < DESCRIPTOR.bytes || id !== DESCRIPTOR.idText)
      throw refuse(
        `no volume descriptor at ${DESCRIPTOR.offset}, its ${stats.size} bytes end or differ there`,
      );
    const mark = Buffer.alloc(2);
    await file.read(mark, 0, 2, MBR.offset);
    const { volumeId, volumeIdBytes } = DESCRIPTOR;
    return {
      path: await realpath(path),
      file,
      sizeBytes: stats.size,
      volumeId: showText(descriptor.toString('latin1', volumeId, volumeId + volumeIdBytes).trim()),
      isHybrid: mark.readUInt16LE() === MBR.mark,
    };
  } catch (error) {
    await file.close();
    throw error;
  }
}

/** Hashes an image, whole and by blocks, before the first byte of it is written anywhere. Throws FILE_UNREADABLE. */
export async function hashBootImage(image: BootImage, signal?: AbortSignal): Promise<ImageDigests> {
  const whole = createHash('sha256');
  const blocks: Buffer[] = [];
  const buffer = Buffer.alloc(BLOCK_BYTES);
  for (const block of imageBlocks(image.sizeBytes)) {
    signal?.throwIfAborted();
    const bytes = await readImageBlock(image, block, buffer);
    whole.update(bytes);
    blocks.push(createHash('sha256').update(bytes).digest());
  }
  return { sha256: whole.digest('hex'), blocks };
}

/** Reads one block of an image into the front of a buffer. Throws FILE_UNREADABLE where the image has become shorter. */
export async function readImageBlock(
  { path, file }: BootImage,
  { offset, length }: ImageBlock,
  buffer: Buffer,
): Promise<Buffer> {
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, offset + done);
    if (bytesRead === 0) {
      throw new EdgefabError(`${path} ends at ${offset + done}: it was longer when this began`, {
        code: 'FILE_UNREADABLE',
        suggestions: ['Do not build an ISO while it is written to sticks; run the same command again'],
        place: { file: path },
      });
    }
    done += bytesRead;
  }
  return buffer.subarray(0, length);
}
