import { mkdir } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { isTransient, jittered } from '../../oci/retry.ts';
import { fileDigest } from './file-digest.ts';
import { type DownloadOptions, Transfer, type WantedDownload } from './transfer.ts';
import type { WebClient } from './web-client.ts';

export interface Downloaded {
  /** `kept`: it was there, and its digest is right. */
  readonly state: 'fetched' | 'kept';
  /** What came over the line in this run. */
  readonly fetchedBytes: number;
}

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Downloads a file into `PATH.partial`, hashing it while it flows, and gives it its name when its digest is right.
 * What an earlier run left is hashed again and continued (Range, If-Range); a server that ignores this, or has
 * another file by now, makes it start again. Throws TARGET_EXISTS, SPACE_SHORT, DOWNLOAD_UNKNOWN,
 * DOWNLOAD_REFUSED, DOWNLOAD_UNREACHABLE, BLOB_TRUNCATED, BLOB_SIZE_MISMATCH, BLOB_DIGEST_MISMATCH, DISK_FULL.
 */
export async function download(
  wanted: WantedDownload,
  web: WebClient,
  options: DownloadOptions,
  host: Pick<Host, 'now' | 'sleep'>,
): Promise<Downloaded> {
  const { path, digest, overwrite } = wanted;
  await mkdir(dirname(path), { recursive: true });
  const there = await fileDigest(path, options.signal);
  if (there === digest) return { state: 'kept', fetchedBytes: 0 };
  if (there !== undefined && !overwrite) {
    throw new EdgefabError(`${path} is there already and is another file: it has ${there}, want ${digest}`, {
      code: 'TARGET_EXISTS',
      suggestions: ['Move it away, or replace it with --overwrite'],
      place: { file: path },
    });
  }
  const transfer = new Transfer(wanted, web, options);
  try {
    await transferAll(transfer, wanted, options, host);
    return { state: 'fetched', fetchedBytes: transfer.fetchedBytes };
  } finally {
    if (transfer.isStarted) options.onEnd?.();
  }
}

async function transferAll(
  transfer: Transfer,
  { path, digest }: WantedDownload,
  options: DownloadOptions,
  host: Pick<Host, 'now' | 'sleep'>,
): Promise<void> {
  let fruitless = 0;
  for (;;) {
    const before = transfer.fetchedBytes;
    try {
      await transfer.run();
      return;
    } catch (error) {
      if (options.signal.aborted) throw options.signal.reason;
      // What the client has tried again has had its chances; the rest is a body that broke off.
      if (!hasCode(error, 'BLOB_TRUNCATED') || isTransient(error)) throw error;
      fruitless = transfer.fetchedBytes > before ? 0 : fruitless + 1;
      if (fruitless > options.retryTimes) throw error;
      const ownMs = Math.min(FIRST_PAUSE_MS * 2 ** fruitless, LONGEST_PAUSE_MS);
      const waitMs = jittered(ownMs, `${digest} ${fruitless} ${host.now().getTime()}`);
      options.onRetry?.(basename(path), error as EdgefabError, waitMs);
      await host.sleep(waitMs, options.signal);
    }
  }
}
