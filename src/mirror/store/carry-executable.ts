import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, open, rename, rm, stat, statfs } from 'node:fs/promises';
import { type Digest, parseDigest } from '../../oci/digest.ts';
import { type CacheFile, loadCacheFile, writeCacheFile } from './cache-file.ts';
import { asDiskFull } from './disk-full.ts';
import { storePaths } from './store-paths.ts';
import { syncFolder } from './write-file-durably.ts';

/** What became of the program on a cache disk; the disk is whole without it. */
export type CarriedExecutable =
  | { readonly state: 'copied' | 'kept'; readonly path: string; readonly sizeBytes: number }
  | { readonly state: 'none' }
  | { readonly state: 'no room'; readonly neededBytes: number; readonly freeBytes: number };

const BUFFER_BYTES = 1024 * 1024;

/**
 * Puts the single executable into a complete cache as `edgefab`, so that a machine without Node has it, and notes
 * its sha256 in the cache's file. Leaves one that is the same, and one that nothing replaces. Nobody else may be
 * writing. Throws Node's error when the executable cannot be read, DISK_FULL.
 */
export async function carryExecutable(root: string, source: string | undefined): Promise<CarriedExecutable> {
  const cache = await loadCacheFile(root);
  if (cache === undefined) throw new RangeError(`${root} is no cache yet`);
  const target = storePaths.executable(root);
  const held = await stat(target).catch(() => undefined);
  if (source === undefined) {
    if (held === undefined) await note(root, cache, undefined);
    return { state: 'none' };
  }
  const { size: sizeBytes } = await stat(source);
  const sha256 = await copyHashed(source);
  if (cache.executable?.sha256 === sha256 && held?.size === sizeBytes) {
    return { state: 'kept', path: target, sizeBytes };
  }
  const { bavail, bsize } = await statfs(root);
  if (bavail * bsize < sizeBytes)
    return { state: 'no room', neededBytes: sizeBytes, freeBytes: bavail * bsize };
  const temporary = `${target}.${process.pid}.tmp`;
  try {
    const file = await open(temporary, 'w', 0o755);
    try {
      const copied = await copyHashed(source, file);
      if (copied !== sha256) throw new Error(`${source} changed while it was copied`);
      // The mode the file was opened with passed through the umask.
      await file.chmod(0o755);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, target);
  } catch (error) {
    await rm(temporary, { force: true });
    throw asDiskFull(error, target);
  }
  await syncFolder(root);
  await note(root, cache, { sha256, sizeBytes });
  return { state: 'copied', path: target, sizeBytes };
}

async function note(root: string, cache: CacheFile, executable: CacheFile['executable']): Promise<void> {
  const { executable: before, ...rest } = cache;
  if (before === executable) return;
  await writeCacheFile(root, executable === undefined ? rest : { ...rest, executable });
}

/** Hashes a file, and writes it to another one as it goes. */
async function copyHashed(source: string, target?: FileHandle): Promise<Digest> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(source, { highWaterMark: BUFFER_BYTES })) {
    hash.update(chunk as Buffer);
    await target?.writeFile(chunk as Buffer);
  }
  return parseDigest(`sha256:${hash.digest('hex')}`);
}
