import { chmod, link, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { ExtractedPiece } from './extract-iso.ts';
import type { ReadableImage } from './open-image.ts';

const CHUNK_BYTES = 1024 * 1024;
const PARTIAL_ID_BYTES = 8;
const MODE = { secret: 0o600, plain: 0o644 } as const;

/** Gives the bytes of a piece in order, a mebibyte at a time. Throws ISO_INVALID when the image ends before it does. */
export async function* pieceChunks(
  image: ReadableImage,
  { name, sizeBytes, content }: ExtractedPiece,
): AsyncGenerator<Uint8Array> {
  if (content instanceof Uint8Array) {
    yield content;
    return;
  }
  let done = 0;
  while (done < sizeBytes) {
    const wanted = Math.min(CHUNK_BYTES, sizeBytes - done);
    const bytes = await image.readAt(content.offset + done, wanted);
    if (bytes.length !== wanted) {
      throw new EdgefabError(
        `${name} of ${image.path} has ${done + bytes.length} bytes in the image, want ${sizeBytes}`,
        { code: 'ISO_INVALID', place: { file: image.path } },
      );
    }
    yield bytes;
    done += wanted;
  }
}

async function giveName(partial: string, target: string, overwrite: boolean): Promise<void> {
  if (overwrite) {
    await rename(partial, target);
    return;
  }
  try {
    // A link never replaces what came to be there in the meantime; a rename would.
    await link(partial, target);
    await rm(partial, { force: true });
  } catch (cause) {
    if (hasCode(cause, 'EEXIST')) {
      throw new EdgefabError(`${target} is already there`, {
        code: 'TARGET_EXISTS',
        place: { file: target },
        suggestions: ['Name another file, or replace it with --force'],
        cause,
      });
    }
    // FAT has no links.
    await rename(partial, target);
  }
}

/**
 * Writes a piece to a file that gets its name last, mode 0600 where it may hold secrets. Throws TARGET_EXISTS unless
 * `overwrite`, FILE_UNREADABLE when the folder cannot be written, DISK_FULL.
 */
export async function writePiece(
  image: ReadableImage,
  piece: ExtractedPiece,
  { target, overwrite }: { readonly target: string; readonly overwrite: boolean },
  host: Pick<Host, 'randomBytes'>,
): Promise<void> {
  const id = Buffer.from(host.randomBytes(PARTIAL_ID_BYTES)).toString('hex');
  const partial = join(dirname(target), `.${basename(target)}.${id}.partial`);
  const mode = piece.secret ? MODE.secret : MODE.plain;
  try {
    const file = await open(partial, 'wx', mode);
    try {
      for await (const bytes of pieceChunks(image, piece)) await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await giveName(partial, target, overwrite);
  } catch (cause) {
    await rm(partial, { force: true });
    if (cause instanceof EdgefabError) throw cause;
    const full = hasCode(cause, 'ENOSPC') || hasCode(cause, 'EDQUOT');
    throw new EdgefabError(`${target} cannot be written: ${cause instanceof Error ? cause.message : cause}`, {
      code: full ? 'DISK_FULL' : 'FILE_UNREADABLE',
      place: { file: target },
      suggestions: [
        full ? 'Free space there, then run again' : 'Name a file in a folder that can be written',
      ],
      cause,
    });
  }
}

/** Makes the folder several pieces go to, for its owner only where they are secrets. Throws FILE_UNREADABLE. */
export async function makePieceFolder(folder: string, secret: boolean): Promise<void> {
  try {
    const made = await mkdir(folder, { recursive: true, mode: secret ? 0o700 : 0o755 });
    if (made !== undefined && secret) await chmod(folder, 0o700).catch(() => undefined);
  } catch (cause) {
    throw new EdgefabError(`folder ${folder} cannot be made`, {
      code: 'FILE_UNREADABLE',
      place: { file: folder },
      suggestions: ['Name a folder, not a file'],
      cause,
    });
  }
}
