import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import pLimit from 'p-limit';
import { hasCode } from '../../errors.ts';
import { type Digest, digestHex } from '../../oci/digest.ts';
import { lockId } from '../resolve/lock.ts';
import type { CacheFile } from './cache-file.ts';
import { type DirView, dirViewLinks, dirViewsOf } from './dir-view.ts';
import { type FileHasher, openFileHasher } from './file-hasher.ts';
import { loadCache } from './load-cache.ts';
import { layoutFiles } from './oci-files.ts';
import { checkRegistryView } from './registry-view/check-registry-view.ts';
import { listSiteFiles, type SiteFile } from './site-files.ts';
import { dirViewName, EXECUTABLE_NAME, storePaths } from './store-paths.ts';
import { type WantedFile, wantedFiles } from './wanted-files.ts';

/** One thing wrong with a cache. `got` and `want` are sizes or digests as texts; `path` is relative to the root. */
export interface CacheFault {
  readonly kind: 'missing' | 'size' | 'digest' | 'view' | 'index' | 'stray' | 'state';
  readonly path: string;
  readonly got: string;
  readonly want: string;
  readonly images: readonly string[];
}

export interface CacheReport {
  readonly cache: CacheFile;
  readonly images: number;
  readonly blobs: number;
  /** Files that sites' boot sticks have no room for. */
  readonly files: number;
  readonly bytes: number;
  /** Faults that make the cache unusable. */
  readonly faults: readonly CacheFault[];
  /** Blobs no image of the lock needs, files whose names are no sha256: harmless, they take space. */
  readonly strays: readonly CacheFault[];
}

export interface VerifyOptions {
  /** Files hashed at once, at most one for each processor. */
  readonly parallel: number;
  readonly signal?: AbortSignal;
  /** Told the bytes there are to read, before the first one is. */
  readonly onStart?: (totalBytes: number) => void;
  readonly onBytes?: (bytes: number) => void;
}

/** Reads a cache's own lock and hashes every blob it names again, and every file of the sites. Throws when the folder is no cache. */
export async function verifyCache(root: string, options: VerifyOptions): Promise<CacheReport> {
  const { cache, lock } = await loadCache(root);
  const faults: CacheFault[] = [];
  const state = (path: string, got: string, want: string): void => {
    if (got !== want) faults.push({ kind: 'state', path, got, want, images: [] });
  };
  state('edgefab.lock', lockId(lock), cache.lock);
  state('edgefab-cache.json', cache.state, 'complete');
  const wanted = wantedFiles(lock.images);
  const program = cache.executable;
  const siteFiles = await listSiteFiles(root);
  options.onStart?.(
    [...wanted.values(), ...siteFiles.files].reduce(
      (sum, { sizeBytes }) => sum + (sizeBytes ?? 0),
      program?.sizeBytes ?? 0,
    ),
  );
  let bytes = 0;
  {
    await using hasher = openFileHasher(options.parallel, options.signal);
    const limit = pLimit(hasher.threads * 2);
    const onBytes = (count: number): void => {
      bytes += count;
      options.onBytes?.(count);
    };
    const checks = [
      ...[...wanted.values()].map((item) => () => {
        const path = join('blobs', 'sha256', digestHex(item.digest));
        return checkFile(root, path, item, hasher, onBytes);
      }),
      ...siteFiles.files.map((file) => () => checkSiteFile(root, file, hasher, onBytes)),
    ];
    const found = await Promise.all(
      checks.map((check) =>
        limit(async () => {
          options.signal?.throwIfAborted();
          return await check();
        }),
      ),
    );
    faults.push(...found.filter((fault) => fault !== undefined));
    if (program !== undefined) {
      const item = { digest: program.sha256, sizeBytes: program.sizeBytes, images: [] };
      const fault = await checkFile(root, EXECUTABLE_NAME, item, hasher, (count) => options.onBytes?.(count));
      if (fault !== undefined) faults.push(fault);
    }
  }
  for (const view of lock.images.flatMap(dirViewsOf)) {
    const fault = await checkView(root, view);
    if (fault !== undefined) faults.push(fault);
  }
  for (const fault of await checkRegistryView(root, lock)) faults.push({ kind: 'view', ...fault });
  // What index.json must say depends on manifests that are there; without them it is not the first thing wrong.
  if (faults.length === 0) faults.push(...(await checkLayout(root, lock.images)));
  faults.sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
  return {
    cache,
    images: lock.images.length,
    blobs: wanted.size,
    files: siteFiles.files.length,
    bytes,
    faults,
    strays: [...(await findStrays(root, wanted)), ...siteFiles.strays.map(strayFile)],
  };
}

async function checkFile(
  root: string,
  path: string,
  { digest, sizeBytes, images }: WantedFile,
  hasher: FileHasher,
  onBytes: (bytes: number) => void,
): Promise<CacheFault | undefined> {
  const found = await stat(join(root, path)).catch(() => undefined);
  const want = sizeBytes === undefined ? digest : `${sizeBytes} bytes`;
  if (found === undefined) return { kind: 'missing', path, got: 'nothing', want, images };
  if (!found.isFile()) return { kind: 'missing', path, got: 'not a file', want, images };
  if (sizeBytes !== undefined && found.size !== sizeBytes) {
    return { kind: 'size', path, got: `${found.size} bytes`, want, images };
  }
  return await checkDigest(root, { path, want: digest, images }, hasher, onBytes);
}

async function checkSiteFile(
  root: string,
  { hex }: SiteFile,
  hasher: FileHasher,
  onBytes: (bytes: number) => void,
): Promise<CacheFault | undefined> {
  const path = relative(root, storePaths.siteFile(root, hex));
  return await checkDigest(root, { path, want: `sha256:${hex}`, images: [] }, hasher, onBytes);
}

async function checkDigest(
  root: string,
  { path, want, images }: Pick<CacheFault, 'path' | 'want' | 'images'>,
  hasher: FileHasher,
  onBytes: (bytes: number) => void,
): Promise<CacheFault | undefined> {
  try {
    const got = await hasher.hash(join(root, path), onBytes);
    return got === want ? undefined : { kind: 'digest', path, got, want, images };
  } catch (error) {
    // A dying disk answers EIO in the middle of a file: that is a fault of this file, not the end of the check.
    if (!hasCode(error, 'EIO')) throw error;
    return { kind: 'digest', path, got: 'a read error (EIO)', want, images };
  }
}

function strayFile(name: string): CacheFault {
  return { kind: 'stray', path: join('files', 'sha256', name), got: 'a file', want: 'nothing', images: [] };
}

async function checkView(root: string, view: DirView): Promise<CacheFault | undefined> {
  const folder = dirViewName(view.repository, view.digest);
  const images = [`${view.repository}@${view.digest}`];
  const version = await stat(join(root, folder, 'version')).catch(() => undefined);
  if (version === undefined) {
    const want = 'a file';
    return { kind: 'view', path: join(folder, 'version'), got: 'nothing', want, images };
  }
  for (const [entry, want] of dirViewLinks(root, view)) {
    const got = await readlink(join(root, folder, entry)).catch(() => 'nothing');
    if (got !== want) {
      return { kind: 'view', path: join(folder, entry), got, want: `a link to ${want}`, images };
    }
  }
  return undefined;
}

async function checkLayout(
  root: string,
  images: Parameters<typeof layoutFiles>[1],
): Promise<readonly CacheFault[]> {
  const faults: CacheFault[] = [];
  for (const [path, want] of await layoutFiles(root, images)) {
    const got = await readFile(join(root, path)).catch(() => undefined);
    if (got?.equals(want) === true) continue;
    const found = got === undefined ? 'nothing' : 'something else';
    faults.push({ kind: 'index', path, got: found, want: 'what the lock says', images: [] });
  }
  return faults;
}

async function findStrays(root: string, wanted: ReadonlyMap<Digest, WantedFile>): Promise<CacheFault[]> {
  const known = new Set([...wanted.keys()].map(digestHex));
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
