import { mkdir, readdir, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { hasCode } from '../../errors.ts';
import { digestHex } from '../../oci/digest.ts';
import type { LockedBlob } from '../resolve/lock.ts';
import type { FileHasher } from './file-hasher.ts';
import { openPartialFile, type PartialFile } from './partial-file.ts';
import { storePaths } from './store-paths.ts';
import { syncFolder, writeFileDurably } from './write-file-durably.ts';

/** A file of a site's config that lies in the cache; `hex` is the sha256 of its bytes, and its name there. */
export interface SiteFile {
  readonly hex: string;
  readonly sizeBytes: number;
}

/** Lists the files that sites' boot sticks have no room for, by name, and what lies among them and is none. */
export async function listSiteFiles(
  root: string,
): Promise<{ readonly files: readonly SiteFile[]; readonly strays: readonly string[] }> {
  const folder = storePaths.siteFiles(root);
  const entries = await readdir(folder, { withFileTypes: true }).catch((error: unknown) => {
    if (hasCode(error, 'ENOENT')) return [];
    throw error;
  });
  const files: SiteFile[] = [];
  const strays: string[] = [];
  for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { name } = entry;
    if (!entry.isFile() || !/^[0-9a-f]{64}$/.test(name)) strays.push(name);
    else files.push({ hex: name, sizeBytes: (await stat(storePaths.siteFile(root, name))).size });
  }
  return { files, strays };
}

/** Tells whether a cache holds a file, every byte of it as its name says. Throws what reading it throws. */
export async function holdsSiteFile(
  root: string,
  { hex, sizeBytes }: SiteFile,
  hasher: Pick<FileHasher, 'hash'>,
): Promise<boolean> {
  const path = storePaths.siteFile(root, hex);
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() !== true || found.size !== sizeBytes) return false;
  return (await hasher.hash(path, () => undefined)) === `sha256:${hex}`;
}

/** Writes a file into a cache that is held, durably, its name last. Throws DISK_FULL and Node's errors. */
export async function writeSiteFile(root: string, hex: string, bytes: Uint8Array): Promise<void> {
  await makeSiteFolder(root);
  await writeFileDurably(storePaths.siteFile(root, hex), bytes);
}

/** Opens a file of a cache that is held for writing, piece by piece. Throws what `openPartialFile` throws. */
export async function openSiteFile(root: string, { digest, sizeBytes }: LockedBlob): Promise<PartialFile> {
  await makeSiteFolder(root);
  return await openPartialFile({
    what: `file ${digest}`,
    partial: storePaths.partial(root, digest),
    path: storePaths.siteFile(root, digestHex(digest)),
    digest,
    sizeBytes,
  });
}

async function makeSiteFolder(root: string): Promise<void> {
  const folder = storePaths.siteFiles(root);
  // One by one: with `recursive` Node says ENOENT on a medium that is read-only.
  for (const each of [dirname(folder), folder]) if (await makeFolder(each)) await syncFolder(dirname(each));
}

async function makeFolder(path: string): Promise<boolean> {
  try {
    await mkdir(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}
