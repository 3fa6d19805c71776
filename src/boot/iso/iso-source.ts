import type { BigIntStats } from 'node:fs';
import { lstat, realpath, stat } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../../errors.ts';
import { inspectIso } from './inspect-iso.ts';
import type { IsoImage } from './iso-image.ts';
import { type IsoKargs, readIsoInitrd, readIsoKargs } from './read-iso.ts';
import { undoPath } from './undo-file.ts';

type Stamp = Pick<BigIntStats, 'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs'>;

/** A live ISO that was inspected once, for many copies. Nothing is kept open. */
export interface IsoSource {
  readonly image: IsoImage;
  /** What the Ignition area holds already, by path; read when first asked for. */
  embedded(): Promise<ReadonlyMap<string, Uint8Array>>;
  /** The kernel arguments, read when first asked for. */
  kargs(): Promise<IsoKargs>;
  /** Throws ISO_CHANGED when the file is not the one that was inspected any more. */
  assertUnchanged(): Promise<void>;
}

async function stampOf(path: string): Promise<Stamp | undefined> {
  try {
    return await stat(path, { bigint: true });
  } catch {
    // Gone or shut to us; whoever opens it says so.
    return undefined;
  }
}

function isSame(before: Stamp | undefined, now: Stamp | undefined): boolean {
  if (before === undefined || now === undefined) return before === now;
  // The change time too: a copy over the file may bring its old modification time back (cp -p).
  return (['dev', 'ino', 'size', 'mtimeNs', 'ctimeNs'] as const).every((key) => before[key] === now[key]);
}

function once<T>(read: () => Promise<T>): () => Promise<T> {
  let result: Promise<T> | undefined;
  return () => {
    result ??= read();
    return result;
  };
}

/**
 * Refuses an ISO that a run was changing in place when it was cut off: half of it may be old. One that is not
 * there is for its opener to tell. Throws ISO_UNFINISHED saying how to put back what was there.
 */
export async function refuseUnfinished(path: string): Promise<void> {
  try {
    await lstat(undoPath(await realpath(path)));
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  throw new EdgefabError(`ISO ${path} was being changed in place by a run that did not end`, {
    code: 'ISO_UNFINISHED',
    place: { file: path },
    suggestions: [
      `Run edgefab iso embed ${path} --in-place: without anything to embed it puts back what was there`,
    ],
  });
}

/**
 * Inspects a live ISO to make copies of. Throws what `inspectIso` throws, and ISO_UNFINISHED when a change in place
 * was cut off in it.
 */
export async function openIsoSource(path: string): Promise<IsoSource> {
  const stamp = await stampOf(path);
  await refuseUnfinished(path);
  const image = await inspectIso(path);
  return {
    image,
    embedded: once(() => readIsoInitrd(image)),
    kargs: once(() => readIsoKargs(image)),
    assertUnchanged: async () => {
      if (isSame(stamp, await stampOf(path))) return;
      throw new EdgefabError(`ISO ${path} was changed while it was copied`, {
        code: 'ISO_CHANGED',
        place: { file: path },
        suggestions: ['Wait until nothing writes to it any more (a download, a copy), and run again'],
      });
    },
  };
}
