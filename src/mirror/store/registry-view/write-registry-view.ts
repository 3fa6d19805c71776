import { link, mkdir, open, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import pLimit from 'p-limit';
import { hasCode } from '../../../errors.ts';
import { type Lock, lockId } from '../../resolve/lock.ts';
import { asDiskFault } from '../disk-fault.ts';
import { storePaths } from '../store-paths.ts';
import { syncFolder, writeFileDurably } from '../write-file-durably.ts';
import { planRegistryView, type RegistryView } from './plan-registry-view.ts';
import { REGISTRY_STAMP } from './registry-paths.ts';
import { formatRegistryStamp, isRegistryViewOf } from './registry-stamp.ts';
import { loadReferrersIndexes } from './signature-referrers.ts';

/** Entries written at once: their files are flushed, and a disk flushes several for the price of one. */
const PARALLEL = 16;

/**
 * Writes the registry view of a complete cache: the storage of a distribution registry, made of small files and of
 * relative symlinks into the blob pool, so that a registry with it as its `rootdirectory` serves every locked image.
 * It is built aside and put in place whole, in place of that of another lock; one that is of this lock is left
 * alone. Nobody else may be writing. Throws REFERENCE_INVALID, DISK_FULL,
 * DISK_FAILED.
 */
export async function writeRegistryView(
  root: string,
  lock: Lock,
  flush: (folder: string) => Promise<boolean> = async () => false,
): Promise<void> {
  const id = lockId(lock);
  if (await isRegistryViewOf(root, id)) return;
  const view = planRegistryView(lock.images, await loadReferrersIndexes(root, lock.images));
  const target = storePaths.registryView(root);
  const building = join(storePaths.temporary(root), 'registry-view');
  const replaced = join(storePaths.temporary(root), 'registry-view-replaced');
  const clear = async (): Promise<void> => {
    for (const path of [building, replaced]) await rm(path, { recursive: true, force: true });
  };
  try {
    await clear();
    await mkdir(building);
    await flushFiles(await writeEntries(building, view), building, flush);
    // Last, and flushed: what a journal has of the entries is on the disk before it.
    await writeFileDurably(join(building, REGISTRY_STAMP), formatRegistryStamp(id));
    await mkdir(dirname(target), { recursive: true });
    await rename(target, replaced).catch((error: unknown) => {
      if (!hasCode(error, 'ENOENT')) throw error;
    });
    await rename(building, target);
    await syncFolder(dirname(target));
  } catch (error) {
    throw asDiskFault(error, target);
  } finally {
    // What cannot be removed is told by `cache gc`.
    await clear().catch(() => undefined);
  }
}

/** Flushes the files of a view, all at once where that can be asked for. */
async function flushFiles(
  files: readonly string[],
  folder: string,
  flush: (folder: string) => Promise<boolean>,
): Promise<void> {
  if (await flush(folder)) return;
  const limit = pLimit(PARALLEL);
  await Promise.all(
    files.map((path) =>
      limit(async () => {
        await using file = await open(path, 'r');
        await file.sync();
      }),
    ),
  );
}

/** Returns the files written, those that have several names once; nothing of them is flushed yet. */
async function writeEntries(folder: string, view: RegistryView): Promise<string[]> {
  const limit = pLimit(PARALLEL);
  const samePaths = new Map<string, string[]>();
  const work: Promise<void>[] = [];
  for (const [name, entry] of view) {
    const path = join(folder, name);
    if (entry.kind === 'symlink') work.push(limit(() => writeSymlink(entry.target, path)));
    else samePaths.set(entry.content, [...(samePaths.get(entry.content) ?? []), path]);
  }
  const files: string[] = [];
  for (const [content, paths] of samePaths)
    work.push(limit(async () => void files.push(...(await writeSame(content, paths)))));
  // Nothing is still being written when this is over, so that it can be removed.
  const failed = (await Promise.allSettled(work)).find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return files;
}

async function writeSymlink(target: string, path: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path);
}

/** Writes one content under several names, hard links to one file where the disk has them. Returns the files made. */
async function writeSame(content: string, paths: readonly string[]): Promise<string[]> {
  const [first] = paths;
  const files: string[] = [];
  for (const path of paths) {
    await mkdir(dirname(path), { recursive: true });
    const linked =
      first !== undefined &&
      path !== first &&
      (await link(first, path).then(
        () => true,
        () => false,
      ));
    if (linked) continue;
    await writeFile(path, content);
    files.push(path);
  }
  return files;
}
