import { chmod, constants, copyFile, type FileHandle, open, readdir, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { explainDiskTrouble } from './disk-trouble.ts';
import type { Region } from './plan-site-iso.ts';
import { writeFully } from './write-fully.ts';

export interface PatchedCopy {
  readonly source: string;
  readonly target: string;
  readonly sizeBytes: number;
  readonly regions: readonly Region[];
  /**
   * Looks at the written copy under its temporary name; what it throws keeps the copy from getting its name. Outside
   * the regions a copy that shares the source's blocks cannot differ from it.
   */
  readonly check: (path: string, sharesBlocks: boolean) => Promise<void>;
  /** The source is a temporary of `openPartial` for this target, and becomes the target without being copied. */
  readonly adopt?: boolean;
}

const PARTIAL_ID_BYTES = 8;
const OWNER_ONLY = 0o600;

/** A random name: two runs for one target then never write to one file, whatever each removes. */
function partialPath(target: string, host: Pick<Host, 'randomBytes'>): string {
  const id = Buffer.from(host.randomBytes(PARTIAL_ID_BYTES)).toString('hex');
  return join(dirname(target), `.${basename(target)}.${id}.partial`);
}

/** Copies that a killed run left take up as much as the ISO itself. */
async function removeLeftovers(target: string, kept?: string): Promise<void> {
  const prefix = `.${basename(target)}.`;
  const folder = dirname(target);
  const keptName = kept === undefined ? undefined : basename(kept);
  const names = await readdir(folder).catch((cause: unknown) => {
    throw new EdgefabError(`folder ${folder} for ${target} cannot be read`, {
      code: 'FILE_UNREADABLE',
      place: { file: target },
      cause,
    });
  });
  for (const name of names) {
    const isPartial = name.startsWith(prefix) && /^[0-9a-f]{16}\.partial$/.test(name.slice(prefix.length));
    if (isPartial && name !== keptName) await rm(join(folder, name), { force: true });
  }
}

/**
 * Names a temporary file beside a target, free of what killed runs left there, and makes it, empty and private. The
 * next run for that target removes it when this one is killed.
 */
export async function openPartial(
  target: string,
  host: Pick<Host, 'randomBytes'>,
): Promise<{ readonly path: string; readonly file: FileHandle }> {
  await removeLeftovers(target);
  const path = partialPath(target, host);
  return { path, file: await open(path, 'wx', OWNER_ONLY) };
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
  await using file = await open(path, 'r+');
  for (const { bytes, offset } of regions) await writeFully(file, bytes, offset);
  await file.sync();
}

async function syncFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

/** What file systems answer that share no blocks, or not between these two. */
const NOT_SHARED = ['ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'ENOTTY', 'EXDEV', 'EINVAL'];

/** Copies a file, sharing its blocks where the file system can (FICLONE); tells whether it could. */
async function copyBlocks(source: string, target: string): Promise<boolean> {
  try {
    await copyFile(source, target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE_FORCE);
    return true;
  } catch (error) {
    if (!NOT_SHARED.some((code) => hasCode(error, code))) throw error;
  }
  // libuv copies with copy_file_range(2), within the kernel.
  await copyFile(source, target, constants.COPYFILE_EXCL);
  return false;
}

/**
 * Copies a file next to its target (sharing blocks where the file system can), writes the regions, flushes,
 * checks, then gives it its name and flushes the folder. Killed at any point it leaves nothing under the final
 * name. Throws DISK_FULL, FILESYSTEM_UNFIT and what `check` throws, with the copy removed.
 */
export async function writePatchedCopy(copy: PatchedCopy, host: Pick<Host, 'randomBytes'>): Promise<void> {
  const { source, target, adopt = false } = copy;
  const partial = adopt ? source : partialPath(target, host);
  await removeLeftovers(target, adopt ? source : undefined);
  try {
    const sharesBlocks = !adopt && (await copyBlocks(source, partial));
    await makePrivate(partial);
    await writeRegions(partial, copy.regions);
    await copy.check(partial, sharesBlocks);
    await rename(partial, target);
  } catch (error) {
    const explained = await explainDiskTrouble(error, target, copy.sizeBytes);
    await rm(partial, { force: true });
    throw explained;
  }
  await syncFolder(dirname(target));
}
