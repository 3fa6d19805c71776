import type { Dirent } from 'node:fs';
import { open, readdir, readlink } from 'node:fs/promises';
import { join, posix, relative } from 'node:path';
import pLimit from 'p-limit';
import { hasCode } from '../../../errors.ts';
import { type Lock, lockId } from '../../resolve/lock.ts';
import { storePaths } from '../store-paths.ts';
import { planRegistryView, type RegistryEntry, type RegistryView } from './plan-registry-view.ts';
import { REGISTRY_STAMP, REGISTRY_VIEW } from './registry-paths.ts';
import { isRegistryViewOf, loadRegistryStamp } from './registry-stamp.ts';
import { loadReferrersIndexes } from './signature-referrers.ts';

/** An entry that is missing, wrong or too many; `path` is relative to the cache root. */
export interface RegistryViewFault {
  readonly path: string;
  readonly got: string;
  readonly want: string;
  readonly images: readonly string[];
}

/**
 * Compares the registry view of a cache with its lock, entry for entry. A view that is absent or of another lock is
 * one fault. Whether blobs are what they claim to be is not looked at. Throws REFERENCE_INVALID.
 */
export async function checkRegistryView(root: string, lock: Lock): Promise<RegistryViewFault[]> {
  const id = lockId(lock);
  if (!(await isRegistryViewOf(root, id))) {
    const path = posix.join(REGISTRY_VIEW, REGISTRY_STAMP);
    const made = await loadRegistryStamp(root);
    const got = made === undefined ? 'nothing' : `a view of ${made === id ? 'another version' : made}`;
    return [{ path, got, want: `a view of ${id}`, images: [] }];
  }
  const view = planRegistryView(lock.images, await loadReferrersIndexes(root, lock.images));
  const found = await listEntries(storePaths.registryView(root));
  const limit = pLimit(16);
  const checked = await Promise.all(
    [...view].map(([path, entry]) => limit(() => checkEntry(root, path, entry, found.get(path)))),
  );
  return [...checked.filter((fault) => fault !== undefined), ...strayEntries(view, found)];
}

async function listEntries(folder: string): Promise<ReadonlyMap<string, Dirent>> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  return new Map(entries.map((entry) => [relative(folder, join(entry.parentPath, entry.name)), entry]));
}

async function checkEntry(
  root: string,
  path: string,
  entry: RegistryEntry,
  found: Dirent | undefined,
): Promise<RegistryViewFault | undefined> {
  const full = join(storePaths.registryView(root), path);
  const fault = (got: string, want: string): RegistryViewFault => ({
    path: posix.join(REGISTRY_VIEW, path),
    got,
    want,
    images: [entry.image],
  });
  switch (entry.kind) {
    case 'symlink': {
      const want = `a link to ${entry.target}`;
      if (found?.isSymbolicLink() !== true)
        return fault(found === undefined ? 'nothing' : 'something else', want);
      const got = await readlink(full);
      return got === entry.target ? undefined : fault(`a link to ${got}`, want);
    }
    case 'file': {
      const want = entry.content.startsWith('sha256:') ? entry.content : 'an index of signatures';
      if (found?.isFile() !== true) return fault(found === undefined ? 'nothing' : 'not a file', want);
      const content = Buffer.from(entry.content);
      const got = await readStart(full, content.length + 1);
      if (got?.equals(content) === true) return undefined;
      return fault(got === undefined ? 'a read error (EIO)' : 'something else', want);
    }
    default:
      return entry satisfies never;
  }
}

/** Reads no more than is needed to see that a file is another one; undefined where the disk fails. */
async function readStart(path: string, bytes: number): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, 'r');
    const { buffer, bytesRead } = await file.read(Buffer.alloc(bytes), 0, bytes, 0);
    return buffer.subarray(0, bytesRead);
  } catch (error) {
    if (hasCode(error, 'EIO')) return undefined;
    throw error;
  }
}

/** The topmost entries nothing in the lock stands for: an empty folder is enough to make a tag. */
function strayEntries(view: RegistryView, found: ReadonlyMap<string, Dirent>): RegistryViewFault[] {
  const folders = new Set(['.']);
  for (const path of view.keys())
    for (let up = posix.dirname(path); !folders.has(up); up = posix.dirname(up)) folders.add(up);
  return [...found].flatMap(([path, entry]) => {
    if (view.has(path) || folders.has(path) || path === REGISTRY_STAMP) return [];
    if (!folders.has(posix.dirname(path))) return [];
    const got = entry.isDirectory() ? 'a folder' : 'a file';
    return [{ path: posix.join(REGISTRY_VIEW, path), got, want: 'nothing', images: [] }];
  });
}
