import { type FileHandle, open, realpath } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../../errors.ts';
import { explainDiskTrouble } from './disk-trouble.ts';
import type { Region } from './plan-site-iso.ts';
import { isRunning, ownMark } from './process-mark.ts';
import { type Change, loadUndo, removeUndo, type Undo, undoPath, writeUndo } from './undo-file.ts';
import { writeFully } from './write-fully.ts';

async function openToWrite(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (cause) {
    throw new EdgefabError(`ISO image ${path} cannot be opened for writing`, {
      code: 'FILE_UNREADABLE',
      place: { file: path },
      suggestions: ['Write to another file with -o, or make this one writable'],
      cause,
    });
  }
}

async function readFully(file: FileHandle, offset: number, length: number): Promise<Buffer> {
  const bytes = Buffer.alloc(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

function busy(path: string, { owner }: Undo): EdgefabError {
  return new EdgefabError(`ISO ${path} is being changed by process ${Number.parseInt(owner, 10)}`, {
    code: 'ISO_BUSY',
    place: { file: path },
    suggestions: ['Wait for it to end, then run the same command again'],
  });
}

/** A write that was cut off leaves some bytes new and the others old; any other byte is somebody else's. */
function isBetween(now: Uint8Array, { before, after }: Change): boolean {
  return now.length === before.length && now.every((byte, at) => byte === before[at] || byte === after[at]);
}

async function takeBack(path: string, file: FileHandle, { changes }: Undo): Promise<void> {
  for (const change of changes) {
    if (isBetween(await readFully(file, change.offset, change.before.length), change)) continue;
    throw new EdgefabError(
      `ISO ${path} is not the one that a change was cut off in: byte ${change.offset} and those behind it are others`,
      {
        code: 'ISO_UNFINISHED',
        place: { file: path },
        suggestions: [`When it is whole, for example downloaded again: remove ${undoPath(path)}`],
      },
    );
  }
  for (const { offset, before } of changes) await writeFully(file, before, offset);
  await file.sync();
}

/**
 * Puts back what a run changed in an ISO before it was cut off; true when there was something to put back. Throws
 * ISO_BUSY while that run goes on, ISO_UNFINISHED when the ISO is another one by now.
 */
export async function recoverIso(path: string): Promise<boolean> {
  const real = await realpath(path);
  const undo = await loadUndo(real);
  if (undo === undefined) return false;
  if (await isRunning(undo.owner)) throw busy(path, undo);
  await using file = await openToWrite(real);
  await takeBack(path, file, undo);
  await removeUndo(real);
  return true;
}

async function begin(path: string, file: FileHandle, regions: readonly Region[]): Promise<Undo> {
  const changes: Change[] = [];
  for (const { offset, bytes } of regions) {
    changes.push({ offset, before: await readFully(file, offset, bytes.length), after: bytes });
  }
  const undo = { owner: await ownMark(), changes };
  try {
    await writeUndo(path, undo);
    return undo;
  } catch (error) {
    const sizeBytes = regions.reduce((sum, { bytes }) => sum + 2 * bytes.length, 0);
    if (!hasCode(error, 'EEXIST')) throw await explainDiskTrouble(error, undoPath(path), sizeBytes);
    throw busy(path, (await loadUndo(path)) ?? undo);
  }
}

/** When even this fails, the undo file stays for the next run. */
async function takeBackNow(
  path: string,
  real: string,
  file: FileHandle,
  undo: Undo,
  cause: unknown,
): Promise<void> {
  try {
    await takeBack(path, file, undo);
    await removeUndo(real);
  } catch {
    throw new EdgefabError(`ISO ${path} was changed in part, and could not be put back`, {
      code: 'ISO_UNFINISHED',
      place: { file: path },
      suggestions: [
        `See to the disk, then run edgefab iso embed ${path} --in-place: without anything to embed it puts back what was there`,
      ],
      cause,
    });
  }
}

/**
 * Writes regions into an ISO itself. What they replace is kept beside it, flushed, from before the first byte is
 * written until the last is flushed and `check` has looked: a failure puts it back, and after a kill `recoverIso`
 * does. Throws ISO_BUSY, FILE_UNREADABLE, DISK_FULL, DISK_FAILED, and what `check` throws.
 */
export async function editInPlace(
  path: string,
  regions: readonly Region[],
  check: (path: string) => Promise<void>,
): Promise<void> {
  const real = await realpath(path);
  await using file = await openToWrite(real);
  const undo = await begin(real, file, regions);
  try {
    for (const { offset, bytes } of regions) await writeFully(file, bytes, offset);
    await file.sync();
    await check(real);
  } catch (error) {
    await takeBackNow(path, real, file, undo, error);
    throw await explainDiskTrouble(error, real, (await file.stat()).size);
  }
  await removeUndo(real);
}
