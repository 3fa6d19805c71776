import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { z } from 'zod/v4';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import { holdFile } from './hold-file.ts';
import { storePaths } from './store-paths.ts';

/** A cache that no other run may write to until this is disposed of. */
export type HeldCache = AsyncDisposable;

const ownerRecord = z.strictObject({
  pid: z.number().int(),
  host: z.string().max(255),
  work: z.string().max(100),
  since: z.iso.datetime(),
});
type Owner = z.infer<typeof ownerRecord>;

/**
 * Takes a cache for writing; `work` says what for (`precache`). The lock is on `tmp/lock` and dies with its
 * owner. Throws CACHE_BUSY naming the owner, FILESYSTEM_UNFIT where the file system has no locks.
 */
export async function holdCache(root: string, work: string, host: Pick<Host, 'now'>): Promise<HeldCache> {
  await mkdir(storePaths.temporary(root), { recursive: true });
  const lock = await holdFile(storePaths.holder(root));
  if (lock === undefined) throw await busy(root, host);
  const owner: Owner = { pid: process.pid, host: hostname(), work, since: host.now().toISOString() };
  try {
    await writeFile(storePaths.owner(root), `${JSON.stringify(owner)}\n`);
  } catch {
    // It only makes a message better; a full disk is told about by whoever writes what matters.
  }
  return {
    [Symbol.asyncDispose]: async () => {
      await rm(storePaths.owner(root), { force: true }).catch(() => undefined);
      lock[Symbol.dispose]();
    },
  };
}

async function busy(root: string, host: Pick<Host, 'now'>): Promise<EdgefabError> {
  const owner = await readOwner(root);
  const who =
    owner === undefined
      ? 'another edgefab is writing to it'
      : `edgefab ${owner.work}, process ${owner.pid} on ${owner.host}, has been running for ${duration(host.now().getTime() - Date.parse(owner.since))}`;
  return new EdgefabError(`the cache at ${root} is in use: ${who}`, {
    code: 'CACHE_BUSY',
    suggestions: ['Wait for it to end, or end it with Ctrl-C, then run the same command again'],
    place: { file: root },
  });
}

async function readOwner(root: string): Promise<Owner | undefined> {
  try {
    return ownerRecord.parse(JSON.parse(await readFile(storePaths.owner(root), 'utf8')));
  } catch {
    // Between taking the lock and writing who has it there is a moment without a record.
    return undefined;
  }
}

function duration(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}
