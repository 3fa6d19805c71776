import { chmod, constants, copyFile, open, readdir, rename, rm, statfs } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Region } from './plan-site-iso.ts';

export interface PatchedCopy {
  readonly source: string;
  readonly target: string;
  readonly sizeBytes: number;
  readonly regions: readonly Region[];
  /** Looks at the written copy under its temporary name; what it throws keeps the copy from getting its name. */
  readonly check: (path: string) => Promise<void>;
}

const PARTIAL_ID_BYTES = 8;
const OWNER_ONLY = 0o600;

/** A random name: two runs for one target then never write to one file, whatever each removes. */
function partialPath(target: string, host: Pick<Host, 'randomBytes'>): string {
  const id = Buffer.from(host.randomBytes(PARTIAL_ID_BYTES)).toString('hex');
  return join(dirname(target), `.${basename(target)}.${id}.partial`);
}

/** Copies that a killed run left take up as much as the ISO itself. */
async function removeLeftovers(target: string): Promise<void> {
  const prefix = `.${basename(target)}.`;
  const folder = dirname(target);
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new EdgefabError(`folder ${folder} for ${target} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file: target },
      cause,
    });
  });
  for (const name of names) {
    const isPartial = name.startsWith(prefix) && /^[0-9a-f]{16}\.partial$/.test(name.slice(prefix.length));
    if (isPartial) await rm(join(folder, name), { force: true });
  }
}

/** The copy holds keys and pull secrets; file systems without owners (FAT) refuse and are taken as they are. */
async function makePrivate(path: string): Promise<void> {
  try {
    await chmod(path, OWNER_ONLY);
  } catch (error) {
    if (!hasCode(error, 'EPERM') && !hasCode(error, 'ENOTSUP')) throw error;
  }
}

async function writeRegions(path: string, regions: readonly Region[]): Promise<void> {
  const file = await open(path, 'r+');
  try {
    for (const { bytes, offset } of regions) {
      let done = 0;
      while (done < bytes.length) {
        done += (await file.write(bytes, done, bytes.length - done, offset + done)).bytesWritten;
      }
    }
    await file.sync();
  } finally {
    await file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

async function explain(error: unknown, { target, sizeBytes }: PatchedCopy): Promise<unknown> {
  const folder = dirname(target);
  if (hasCode(error, 'ENOSPC') || hasCode(error, 'EDQUOT')) {
    const { bavail, bsize } = await statfs(folder);
    return new EdgefabError(
      `disk is full: ${target} needs ${sizeBytes} bytes, ${bavail * bsize} are free in ${folder}`,
      {
        code: 'DISK_FULL',
        place: { file: target },
        suggestions: ['Free space there or choose another folder, then run again'],
        cause: error,
      },
    );
  }
  if (hasCode(error, 'EFBIG')) {
    return new EdgefabError(
      `file system of ${folder} holds no file of ${sizeBytes} bytes, as ${target} needs`,
      {
        code: 'FILESYSTEM_UNFIT',
        place: { file: target },
        suggestions: ['Use a file system without the 4 GiB limit of FAT'],
        cause: error,
      },
    );
  }
  return error;
}

/**
 * Copies a file next to its target (sharing blocks where the file system can), writes the regions, flushes,
 * checks, then gives it its name and flushes the folder. Killed at any point it leaves nothing under the final
 * name. Throws DISK_FULL, FILESYSTEM_UNFIT and what `check` throws, with the copy removed.
 */
export async function writePatchedCopy(copy: PatchedCopy, host: Pick<Host, 'randomBytes'>): Promise<void> {
  const partial = partialPath(copy.target, host);
  await removeLeftovers(copy.target);
  try {
    await copyFile(copy.source, partial, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
    await makePrivate(partial);
    await writeRegions(partial, copy.regions);
    await copy.check(partial);
    await rename(partial, copy.target);
  } catch (error) {
    const explained = await explain(error, copy);
    await rm(partial, { force: true });
    throw explained;
  }
  await syncFolder(dirname(copy.target));
}
