import type { SpillFile } from '../../boot/patch/spill-plan.ts';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { FileHasher } from '../../mirror/store/file-hasher.ts';
import { type HeldCache, holdCache } from '../../mirror/store/hold-cache.ts';
import { holdsSiteFile, writeSiteFile } from '../../mirror/store/site-files.ts';

/** Shards of one batch write the same few files at the same moment; a precache takes longer than anyone waits. */
const BUSY_TRIES = 60;
const BUSY_WAIT_MS = 1000;
/** What a medium answers that is not to be written to. */
const NOT_WRITABLE = ['EROFS', 'EACCES', 'EPERM', 'FILESYSTEM_UNFIT'];

/**
 * Keeps files of a site's config in the cache, where its machine will look for them; those that are there whole are
 * left alone. Throws CACHE_BUSY, DISK_FULL, and FILESYSTEM_UNFIT for a cache that cannot be written.
 */
export async function keepSiteFiles(
  root: string,
  site: string,
  files: readonly SpillFile[],
  hasher: Pick<FileHasher, 'hash'>,
  host: Pick<Host, 'now' | 'sleep'>,
): Promise<void> {
  const held = await Promise.all(
    files.map(({ sha256, sizeBytes }) => holdsSiteFile(root, { hex: sha256, sizeBytes }, hasher)),
  );
  const wanted = files.filter((_, index) => held[index] === false);
  if (wanted.length === 0) return;
  try {
    await using _cache = await heldCache(root, host);
    for (const { sha256, bytes } of wanted) await writeSiteFile(root, sha256, bytes);
  } catch (cause) {
    if (!NOT_WRITABLE.some((code) => hasCode(cause, code))) throw cause;
    throw new EdgefabError(
      `the cache at ${root} cannot be written, and ${wanted.length} files of site ${site} are to be moved there: ${wanted.map(({ path }) => path).join(', ')}`,
      {
        code: 'FILESYSTEM_UNFIT',
        suggestions: [
          `Mount it read-write (mount -o remount,rw ${root}), as a user who may write there, and run the same command again`,
        ],
        place: { file: root },
        cause,
      },
    );
  }
}

async function heldCache(root: string, host: Pick<Host, 'now' | 'sleep'>): Promise<HeldCache> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await holdCache(root, 'iso --spill', host);
    } catch (error) {
      if (!hasCode(error, 'CACHE_BUSY') || tries === BUSY_TRIES) throw error;
      await host.sleep(BUSY_WAIT_MS);
    }
  }
}
