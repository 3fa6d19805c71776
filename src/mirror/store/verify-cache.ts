import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import pLimit from 'p-limit';
import { EdgefabError, hasCode } from '../../errors.ts';
import { type Digest, digestHex } from '../../oci/digest.ts';
import { type Lock, type LockedImage, lockId, parseLock } from '../resolve/lock.ts';
import { type CacheFile, loadCacheFile } from './cache-file.ts';
import { dirViewName, storePaths } from './store-paths.ts';

/** One thing wrong with a cache. `got` and `want` are sizes or digests as texts. */
export interface CacheFault {
  readonly kind: 'missing' | 'size' | 'digest' | 'view' | 'stray' | 'state';
  readonly path: string;
  readonly got: string;
  readonly want: string;
  readonly images: readonly string[];
}

export interface CacheReport {
  readonly cache: CacheFile;
  readonly images: number;
  readonly blobs: number;
  readonly bytes: number;
  /** Faults that make the cache unusable. */
  readonly faults: readonly CacheFault[];
  /** Blobs no image of the lock needs: harmless, they take space. */
  readonly strays: readonly CacheFault[];
}

export interface VerifyOptions {
  readonly parallel: number;
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}

interface Expected {
  readonly digest: Digest;
  /** Undefined for manifests: the lock does not say, the digest decides. */
  readonly sizeBytes: number | undefined;
  readonly images: string[];
}

/** Reads a cache's own lock and hashes every blob it names again. Throws when the folder is no cache. */
export async function verifyCache(root: string, options: VerifyOptions): Promise<CacheReport> {
  const cache = await loadCacheFile(root);
  if (cache === undefined) {
    throw new EdgefabError(`${root} is not an edgefab cache: it has no edgefab-cache.json`, {
      code: 'CACHE_INCOMPLETE',
      suggestions: ['Name the folder that edgefab precache filled (where its disk is mounted)'],
      place: { file: root },
    });
  }
  const lock = await loadCacheLock(root);
  const faults: CacheFault[] = [];
  if (lockId(lock) !== cache.lock) {
    faults.push({ kind: 'state', path: 'edgefab.lock', got: lockId(lock), want: cache.lock, images: [] });
  }
  if (cache.state !== 'complete') {
    faults.push({
      kind: 'state',
      path: 'edgefab-cache.json',
      got: cache.state,
      want: 'complete',
      images: [],
    });
  }
  const expected = expectedBlobs(lock.images);
  const limit = pLimit(options.parallel);
  let bytes = 0;
  await Promise.all(
    [...expected.values()].map((item) =>
      limit(async () => {
        const fault = await checkBlob(root, item, options, (count) => {
          bytes += count;
          options.onBytes?.(count);
        });
        if (fault !== undefined) faults.push(fault);
      }),
    ),
  );
  for (const image of lock.images) faults.push(...(await checkViews(root, image)));
  faults.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return {
    cache,
    images: lock.images.length,
    blobs: expected.size,
    bytes,
    faults,
    strays: await findStrays(root, expected),
  };
}

async function loadCacheLock(root: string): Promise<Lock> {
  const path = storePaths.lock(root);
  try {
    return parseLock(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
    throw new EdgefabError(`the cache at ${root} was never completed: it has no edgefab.lock`, {
      code: 'PULL_INCOMPLETE',
      suggestions: ['Run edgefab precache again: it goes on where it stopped'],
      place: { file: path },
    });
  }
}

function expectedBlobs(images: readonly LockedImage[]): Map<Digest, Expected> {
  const expected = new Map<Digest, Expected>();
  const need = (digest: Digest, sizeBytes: number | undefined, image: LockedImage): void => {
    const known = expected.get(digest);
    const name = `${image.source}@${image.digest}`;
    if (known === undefined) expected.set(digest, { digest, sizeBytes, images: [name] });
    else known.images.push(name);
  };
  for (const image of images) {
    for (const digest of new Set([image.digest, image.archDigest])) need(digest, undefined, image);
    for (const blob of image.blobs) need(blob.digest, blob.sizeBytes, image);
  }
  return expected;
}

async function checkBlob(
  root: string,
  { digest, sizeBytes, images }: Expected,
  options: VerifyOptions,
  onBytes: (bytes: number) => void,
): Promise<CacheFault | undefined> {
  options.signal?.throwIfAborted();
  const path = join('blobs', 'sha256', digestHex(digest));
  const found = await stat(join(root, path)).catch(() => undefined);
  const want = sizeBytes === undefined ? digest : `${sizeBytes} bytes`;
  if (found === undefined) return { kind: 'missing', path, got: 'nothing', want, images };
  if (!found.isFile()) return { kind: 'missing', path, got: 'not a file', want, images };
  if (sizeBytes !== undefined && found.size !== sizeBytes) {
    return { kind: 'size', path, got: `${found.size} bytes`, want, images };
  }
  const hash = createHash('sha256');
  try {
    for await (const chunk of createReadStream(join(root, path), { highWaterMark: 1024 * 1024 })) {
      options.signal?.throwIfAborted();
      hash.update(chunk as Uint8Array);
      onBytes((chunk as Uint8Array).length);
    }
  } catch (error) {
    // A dying disk answers EIO in the middle of a file: that is a fault of this blob, not the end of the check.
    if (!hasCode(error, 'EIO')) throw error;
    return { kind: 'digest', path, got: 'a read error (EIO)', want: digest, images };
  }
  const got = `sha256:${hash.digest('hex')}`;
  return got === digest ? undefined : { kind: 'digest', path, got, want: digest, images };
}

async function checkViews(root: string, image: LockedImage): Promise<CacheFault[]> {
  const faults: CacheFault[] = [];
  for (const digest of new Set([image.digest, image.archDigest])) {
    const path = join(dirViewName(image.source, digest), 'manifest.json');
    // stat follows the link: a dangling one is as bad as none.
    const found = await stat(join(root, path)).catch(() => undefined);
    if (found === undefined) {
      faults.push({
        kind: 'view',
        path,
        got: 'nothing',
        want: `a link to ${digest}`,
        images: [`${image.source}@${digest}`],
      });
    }
  }
  return faults;
}

async function findStrays(root: string, expected: ReadonlyMap<Digest, Expected>): Promise<CacheFault[]> {
  const known = new Set([...expected.keys()].map(digestHex));
  const names = await readdir(storePaths.blobs(root)).catch(() => []);
  return names
    .filter((name) => !known.has(name))
    .sort()
    .map((name) => ({
      kind: 'stray',
      path: join('blobs', 'sha256', name),
      got: 'a blob',
      want: 'nothing',
      images: [],
    }));
}
