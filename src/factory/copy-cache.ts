import { createReadStream } from 'node:fs';
import { mkdir, readFile, realpath, stat } from 'node:fs/promises';
import { relative, resolve } from 'node:path';
import { assertHoldsCache } from '../disk/cache/assert-holds-cache.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { BlobSource } from '../mirror/pull/pull-parts.ts';
import { assertCompleteCache, loadCacheFile } from '../mirror/store/cache-file.ts';
import { carryExecutable } from '../mirror/store/carry-executable.ts';
import { holdCache } from '../mirror/store/hold-cache.ts';
import { loadCache } from '../mirror/store/load-cache.ts';
import { listSiteFiles, writeSiteFile } from '../mirror/store/site-files.ts';
import { storePaths } from '../mirror/store/store-paths.ts';
import { openStoreSource } from '../mirror/store/store-source.ts';
import { digestOf } from '../oci/digest.ts';
import { type PrecacheOptions, type PrecacheOutcome, precacheHeld } from './precache.ts';

/** Large reads: the source is a disk, and each read costs the same. */
const READ_BYTES = 1024 * 1024;

/**
 * Copies a complete cache to another folder: blobs in parallel, hashed on their way and continued where an earlier
 * run stopped; views are built anew; the copy has the id of the original, so that the same sticks take it. Throws
 * CACHE_INCOMPLETE for a source that is none, USAGE_INVALID for one folder inside the other, and what precaching
 * throws: BLOB_DIGEST_MISMATCH for a source that is damaged, SPACE_SHORT, CACHE_BUSY.
 */
export async function copyCache(
  from: string,
  to: string,
  options: PrecacheOptions,
  host: Pick<Host, 'sleep' | 'now' | 'flushFileSystem'>,
): Promise<PrecacheOutcome> {
  const { cache, lock } = await loadCache(from);
  await assertCompleteCache(from, cache.lock);
  await mkdir(to, { recursive: true });
  await refuseNested(from, to);
  await assertHoldsCache(to);
  await using _held = await holdCache(to, 'cache copy', host);
  // Before the copy may call itself complete.
  await copySiteFiles(from, to);
  const outcome = await precacheHeld(
    lock,
    to,
    cacheSource(from),
    { ...options, cacheId: cache.cacheId },
    host,
  );
  if (cache.executable === undefined) return outcome;
  const executable = await carryExecutable(to, storePaths.executable(from));
  return { ...outcome, executable, cache: (await loadCacheFile(to)) ?? outcome.cache };
}

/** Copies what boot sticks have no room for; each is small, and named by its sha256. */
async function copySiteFiles(from: string, to: string): Promise<void> {
  const { files } = await listSiteFiles(from);
  for (const { hex } of files) {
    const bytes = await readFile(storePaths.siteFile(from, hex));
    const got = digestOf(bytes);
    if (got !== `sha256:${hex}`) {
      throw new EdgefabError(`${storePaths.siteFile(from, hex)} has digest ${got}, want its name`, {
        code: 'BLOB_DIGEST_MISMATCH',
        suggestions: [
          `Build the sites that need it again with --spill; edgefab cache verify ${from} tells more`,
        ],
        place: { file: storePaths.siteFile(from, hex) },
      });
    }
    const held = await readFile(storePaths.siteFile(to, hex)).catch(() => undefined);
    if (held?.equals(bytes) !== true) await writeSiteFile(to, hex, bytes);
  }
}

async function refuseNested(from: string, to: string): Promise<void> {
  const [source, target] = [await realpath(from), await realpath(to)];
  const inside = (a: string, b: string): boolean => !relative(resolve(a), resolve(b)).startsWith('..');
  if (!inside(source, target) && !inside(target, source)) return;
  throw new EdgefabError(`${to} and ${from} are one folder, or one is in the other: want two`, {
    code: 'USAGE_INVALID',
    place: { file: to },
  });
}

/** A cache as the pull reads a registry. */
function cacheSource(root: string): BlobSource {
  const source = openStoreSource(root);
  return {
    getManifest: (reference) => source.getManifest(reference),
    openBlob: async (_repository, digest, { offset = 0 } = {}) => {
      const path = storePaths.blob(root, digest);
      const found = await stat(path).catch(() => undefined);
      if (found?.isFile() !== true) {
        throw new EdgefabError(`the cache at ${root} does not hold blob ${digest}`, {
          code: 'BLOB_UNKNOWN',
          suggestions: [`See what else is wrong with it: edgefab cache verify ${root}`],
        });
      }
      return {
        stream: createReadStream(path, { start: offset, highWaterMark: READ_BYTES }),
        status: offset === 0 ? 200 : 206,
        sizeBytes: found.size - offset,
      };
    },
  };
}
