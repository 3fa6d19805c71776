import { createHash } from 'node:crypto';
import { EdgefabError } from '../../errors.ts';
import type { BlockDevice } from '../device/block-device.ts';
import { unfinishedMark } from '../device/unfinished-mark.ts';
import {
  BLOCK_BYTES,
  type BootImage,
  HEAD_BYTES,
  type ImageBlock,
  type ImageDigests,
  imageBlocks,
  readImageBlock,
} from './boot-image.ts';
import type { StickFile } from './stick-file.ts';

/** What the end of a disk may hold that outlives its beginning: a backup GPT, md superblocks, ZFS labels. */
const TAIL_BYTES = 1024 * 1024;
const OLD_SIGNATURE_BYTES = 4096;

/** What `writeStick` needs of `StickFile.memory`: a block that is written, and the next. */
export const STICK_MEMORY_BYTES = 2 * BLOCK_BYTES;

export type StickPhase = 'write' | 'check';

export interface WriteStickOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (phase: StickPhase, bytes: number) => void;
  /** Runs when all but the head is written and flushed, before it is read back. */
  readonly beforeReadBack?: () => Promise<void>;
}

/**
 * Writes an image on a stick so that half of it never boots: first a mark where the boot code was, then everything but
 * the first MiB, flushed and read back from the medium, that MiB last, flushed and read back too. What an older use left
 * beyond the image is zeroed: the end of the stick, and each signature known from `device.content`. The tail of the last
 * sector is zeros. Throws DISK_FAILED; ISO_READBACK_MISMATCH, and the stick then is marked unfinished; ISO_INVALID when
 * the image changed meanwhile; the signal's reason.
 */
export async function writeStick(
  device: BlockDevice,
  stick: StickFile,
  image: BootImage,
  digests: ImageDigests,
  options: WriteStickOptions = {},
): Promise<void> {
  const { signal, onBytes, beforeReadBack } = options;
  const sector = device.logicalSectorBytes;
  const padded = (bytes: number): number => Math.ceil(bytes / sector) * sector;
  const [head, ...rest] = imageBlocks(image.sizeBytes);
  if (head === undefined) throw new RangeError(`image of ${image.sizeBytes} bytes`);
  const { memory } = stick;
  const halves = [memory.subarray(0, BLOCK_BYTES), memory.subarray(BLOCK_BYTES)];
  const half = (index: number): Buffer => halves[index % 2] ?? memory;

  /** The block as it goes on the stick, whole sectors of it. */
  const load = async (block: ImageBlock, into: Buffer): Promise<Buffer> => {
    await readImageBlock(image, block, into);
    const length = padded(block.length);
    into.fill(0, block.length, length);
    return into.subarray(0, length);
  };
  const check = async (block: ImageBlock, want: Buffer | undefined): Promise<void> => {
    const got = half(0).subarray(0, padded(block.length));
    await stick.read(got, block.offset);
    if (want?.equals(sha256(got.subarray(0, block.length))) === true) {
      onBytes?.('check', block.length);
      return;
    }
    const now = sha256(await readImageBlock(image, block, half(1)));
    throw want?.equals(now) === true ? mismatch(device, block) : changed(image);
  };

  await putMark(stick, memory);
  await removeOld(device, stick, padded(image.sizeBytes), memory);
  let loaded = rest[0] === undefined ? undefined : await load(rest[0], half(0));
  for (const [index, block] of rest.entries()) {
    signal?.throwIfAborted();
    const following = rest[index + 1];
    // The next block is read while this one is written; both come to an end before anything is told.
    const [written, next] = await Promise.allSettled([
      stick.write(loaded ?? half(index), block.offset),
      following === undefined ? undefined : load(following, half(index + 1)),
    ]);
    if (written.status === 'rejected') throw written.reason;
    if (next.status === 'rejected') throw next.reason;
    loaded = next.value;
    onBytes?.('write', block.length);
  }
  await stick.flush();
  await beforeReadBack?.();
  await stick.forgetCached();
  for (const [index, block] of rest.entries()) {
    signal?.throwIfAborted();
    await check(block, digests.blocks[index + 1]);
  }
  signal?.throwIfAborted();
  await writeHead(stick, head, await load(head, half(0)));
  onBytes?.('write', head.length);
  try {
    await stick.forgetCached();
    await check(head, digests.blocks[0]);
  } catch (error) {
    await putMark(stick, memory).catch(() => undefined);
    throw error;
  }
}

/** The mark is in the first sector: written last of all, so that not even the head is there in part. */
async function writeHead(stick: StickFile, head: ImageBlock, bytes: Buffer): Promise<void> {
  const first = Math.min(4096, bytes.length);
  if (bytes.length > first) await stick.write(bytes.subarray(first), head.offset + first);
  await stick.flush();
  await stick.write(bytes.subarray(0, first), head.offset);
  await stick.flush();
}

async function putMark(stick: StickFile, memory: Buffer): Promise<void> {
  const head = memory.subarray(0, HEAD_BYTES).fill(0);
  head.set(unfinishedMark());
  await stick.write(head, 0);
  await stick.flush();
}

async function removeOld(
  { sizeBytes, content, logicalSectorBytes: sector }: BlockDevice,
  stick: StickFile,
  imageEnd: number,
  memory: Buffer,
): Promise<void> {
  const zero = async (from: number, to: number): Promise<void> => {
    const start = Math.max(imageEnd, Math.floor(from / sector) * sector);
    const end = Math.min(Math.ceil(to / sector) * sector, Math.floor(sizeBytes / sector) * sector);
    if (end > start) await stick.write(memory.subarray(0, end - start).fill(0), start);
  };
  await zero(sizeBytes - TAIL_BYTES, sizeBytes);
  if (content.kind !== 'signatures') return;
  for (const { offset, partition } of content.signatures)
    if (partition === undefined) await zero(offset, offset + OLD_SIGNATURE_BYTES);
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash('sha256').update(bytes).digest();
}

function mismatch(device: BlockDevice, { offset, length }: ImageBlock): EdgefabError {
  return new EdgefabError(
    `${device.path} (${device.name}) does not hold what was written: bytes ${offset} to ${offset + length} read back differ from the ISO's`,
    {
      code: 'ISO_READBACK_MISMATCH',
      suggestions: [
        'Do not use this stick: it is broken, or smaller than it says; it was marked so that it does not boot',
      ],
      place: { file: device.path },
    },
  );
}

function changed(image: BootImage): EdgefabError {
  return new EdgefabError(`${image.path} changed while it was written to sticks`, {
    code: 'ISO_INVALID',
    suggestions: ['Let whatever builds it come to an end, and run the same command again'],
    place: { file: image.path },
  });
}
