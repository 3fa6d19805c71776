import { randomBytes } from 'node:crypto';
import { mkdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { EdgefabError, hasCode } from '../../errors.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { formatLock, type Lock, type LockedBlob, lockId } from '../resolve/lock.ts';
import { type BlobWriter, openBlobWriter } from './blob-writer.ts';
import { type CacheFile, loadCacheFile, writeCacheFile } from './cache-file.ts';
import { dirViewsOf, writeDirView } from './dir-view.ts';
import { heldBlobs } from './held-blobs.ts';
import { layoutFiles } from './oci-files.ts';
import { registryTags } from './registry-view/registry-tags.ts';
import { writeRegistryView } from './registry-view/write-registry-view.ts';
import { storePaths } from './store-paths.ts';
import { syncFolder, writeFileDurably } from './write-file-durably.ts';
import { writeImageLists } from './write-image-lists.ts';

/** A cache open for writing. */
export interface Store {
  readonly root: string;
  heldBlobs(blobs: readonly LockedBlob[]): Promise<ReadonlySet<Digest>>;
  openBlob(blob: LockedBlob): Promise<BlobWriter>;
  /** A manifest kept earlier, verified again; undefined when absent or damaged. */
  readManifest(digest: Digest): Promise<Uint8Array | undefined>;
  writeManifest(digest: Digest, bytes: Uint8Array): Promise<void>;
  /**
   * Marks the cache as incomplete and writes its lock, before the first byte is fetched. Throws REFERENCE_INVALID
   * for a lock with a name that no registry can serve, or that would lead out of the cache.
   */
  begin(lock: Lock): Promise<CacheFile>;
  /** Writes views, index and lists, flushes, and marks the cache as complete: the last thing a run does. */
  complete(lock: Lock): Promise<CacheFile>;
}

export interface StoreOptions {
  /** `edgefab/VERSION`, kept in edgefab-cache.json. */
  readonly writer: string;
  /** Logical sector size of the disk, in bytes. */
  readonly sectorBytes: number;
  /** The id the cache is to have; its own unless given, a new one where it has none. */
  readonly cacheId?: string;
  /** Flushes all that was written to a folder's file system; false where it cannot. Without it each file is flushed. */
  readonly flush?: (folder: string) => Promise<boolean>;
}

/** Views written at once: each is a dozen small steps, and the disk does several in the time of one. */
const VIEWS_AT_ONCE = 8;

/** Opens a folder as a cache, making its skeleton when it is new. The folder's parents are made too. */
export async function openStore(root: string, options: StoreOptions): Promise<Store> {
  for (const folder of [storePaths.blobs(root), storePaths.temporary(root), storePaths.dirViews(root)]) {
    await mkdir(folder, { recursive: true });
  }
  await assertOursOrEmpty(root);
  const mark = async (lock: Lock, state: CacheFile['state']): Promise<CacheFile> => {
    const known = await loadCacheFile(root);
    const value: CacheFile = {
      cacheId: options.cacheId ?? known?.cacheId ?? randomBytes(16).toString('hex'),
      lock: lockId(lock),
      state,
      sectorSize: options.sectorBytes,
      writer: options.writer,
      ...(known?.executable === undefined ? {} : { executable: known.executable }),
    };
    await writeCacheFile(root, value);
    return value;
  };
  return {
    root,
    heldBlobs: (blobs) => heldBlobs(root, blobs),
    openBlob: ({ digest, sizeBytes }) => openBlobWriter(root, digest, sizeBytes),
    readManifest: async (digest) => {
      try {
        const bytes = await readFile(storePaths.blob(root, digest));
        return digestOf(bytes) === digest ? bytes : undefined;
      } catch (error) {
        if (hasCode(error, 'ENOENT')) return undefined;
        throw error;
      }
    },
    writeManifest: (digest, bytes) => writeFileDurably(storePaths.blob(root, digest), bytes),
    begin: async (lock) => {
      assertServable(lock);
      const cache = await mark(lock, 'incomplete');
      await writeFileDurably(storePaths.lock(root), formatLock(lock));
      return cache;
    },
    complete: async (lock) => {
      assertServable(lock);
      await syncFolder(storePaths.blobs(root));
      const limit = pLimit(VIEWS_AT_ONCE);
      const views = lock.images.flatMap(dirViewsOf).map((view) => limit(() => writeDirView(root, view)));
      const failed = (await Promise.allSettled(views)).find((outcome) => outcome.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
      await writeRegistryView(root, lock, options.flush);
      for (const [name, bytes] of await layoutFiles(root, lock.images)) {
        await writeFileDurably(join(root, name), bytes);
      }
      await writeImageLists(root, lock);
      return mark(lock, 'complete');
    },
  };
}

/** Names become paths of views: throws REFERENCE_INVALID for one that is none, before the first is written. */
function assertServable(lock: Lock): void {
  registryTags(lock.images);
}

/** Refuses to scatter a cache into a folder that holds something else and has no edgefab-cache.json. */
async function assertOursOrEmpty(root: string): Promise<void> {
  const found = await stat(storePaths.index(root)).catch(() => undefined);
  if (found !== undefined && (await loadCacheFile(root)) === undefined) {
    throw new EdgefabError(`${root} holds an OCI layout that edgefab did not write`, {
      code: 'TARGET_EXISTS',
      suggestions: ['Name an empty folder, or a cache that edgefab made'],
      place: { file: root },
    });
  }
}
