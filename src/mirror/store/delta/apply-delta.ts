import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError, hasCode } from '../../../errors.ts';
import type { Digest } from '../../../oci/digest.ts';
import type { LockedBlob } from '../../resolve/lock.ts';
import type { CacheFile } from '../cache-file.ts';
import { heldBlobs } from '../held-blobs.ts';
import { openSiteFile } from '../site-files.ts';
import type { Store } from '../store.ts';
import { type WantedFile, wantedFiles } from '../wanted-files.ts';
import { cachePath, type DeltaMember, wholeOf } from './delta-index.ts';
import { type DeltaPart, wrongMember } from './read-delta.ts';

export interface ApplyDeltaOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}

/** What applying given parts will do to a cache. */
export interface ApplyPlan {
  /** In the order of their numbers. */
  readonly parts: readonly DeltaPart[];
  /** Paths in the cache, relative to its root. */
  readonly held: ReadonlySet<string>;
  /** Bytes still to be copied out of these parts. */
  readonly copyBytes: number;
  /** Parts, by number, that are not given and that the cache still needs blobs of. */
  readonly absentParts: readonly number[];
}

/**
 * Checks that these parts belong together, hold nothing the lock does not name, and that the cache has everything
 * the delta leaves out; writes nothing. Throws DELTA_INVALID, and DELTA_BASE_MISSING naming what the cache lacks.
 */
export async function planApply(root: string, given: readonly DeltaPart[]): Promise<ApplyPlan> {
  const parts = [...given].sort((a, b) => a.index.part - b.index.part);
  const [first] = parts;
  if (first === undefined) throw new EdgefabError('name a delta to apply', { code: 'USAGE_INVALID' });
  for (const [at, part] of parts.entries()) {
    if (part.index.id !== first.index.id) {
      throw fault(part.path, `is of the delta ${part.index.id}, ${first.path} of ${first.index.id}`);
    }
    const before = parts[at - 1];
    if (before?.index.part === part.index.part) throw fault(part.path, `is the same part as ${before.path}`);
  }
  const wanted = wantedFiles(first.lock.images);
  const members = first.index.parts.flat();
  assertNamed(members, wanted, first.path);
  const blobs = members.filter(({ siteFile }) => siteFile === undefined).map(wholeOf);
  const inDelta = new Map(blobs.map((blob) => [blob.digest, blob]));
  const held = await heldPaths(root, wanted, inDelta, members);
  assertBase(root, first, wanted, held, inDelta);
  const absent = first.index.parts.flatMap((part, at) =>
    parts.some(({ index }) => index.part === at + 1) || part.every((item) => held.has(cachePath(item)))
      ? []
      : [at + 1],
  );
  const todo = parts.flatMap((part) =>
    part.members.filter(({ member }) => !held.has(cachePath(member))).map(({ member }) => member.sizeBytes),
  );
  return { parts, held, copyBytes: todo.reduce((sum, bytes) => sum + bytes, 0), absentParts: absent };
}

function fault(path: string, what: string): EdgefabError {
  return new EdgefabError(`${path} ${what}`, { code: 'DELTA_INVALID', place: { file: path } });
}

function assertNamed(
  members: readonly DeltaMember[],
  wanted: ReadonlyMap<Digest, WantedFile>,
  path: string,
): void {
  for (const member of members) {
    // No lock names these: what a site wants of them is in its config.
    if (member.siteFile) continue;
    const { digest, sizeBytes } = wholeOf(member);
    const file = wanted.get(digest);
    if (file === undefined) throw fault(path, `holds ${digest}, which its lock does not name`);
    if (file.sizeBytes !== undefined && file.sizeBytes !== sizeBytes) {
      throw fault(path, `has ${sizeBytes} bytes of ${digest}, its lock says ${file.sizeBytes}`);
    }
  }
}

/** What the cache has of lock and delta, by name and size; manifests whose size nobody states by name alone. */
async function heldPaths(
  root: string,
  wanted: ReadonlyMap<Digest, WantedFile>,
  inDelta: ReadonlyMap<Digest, LockedBlob>,
  members: readonly DeltaMember[],
): Promise<ReadonlySet<string>> {
  const blobs = await heldBlobs(
    root,
    [...wanted.values()].map(({ digest, sizeBytes }) => {
      const known = sizeBytes ?? inDelta.get(digest)?.sizeBytes;
      return { digest, ...(known === undefined ? {} : { sizeBytes: known }) };
    }),
  );
  const held = new Set([...blobs].map((digest) => cachePath({ digest })));
  for (const member of members) {
    if (!member.siteFile) continue;
    const found = await stat(join(root, cachePath(member))).catch(() => undefined);
    if (found?.isFile() === true && found.size === wholeOf(member).sizeBytes) held.add(cachePath(member));
  }
  return held;
}

function assertBase(
  root: string,
  { index }: DeltaPart,
  wanted: ReadonlyMap<Digest, WantedFile>,
  held: ReadonlySet<string>,
  inDelta: ReadonlyMap<Digest, LockedBlob>,
): void {
  const missing = [...wanted.values()].filter(
    ({ digest }) => !held.has(cachePath({ digest })) && !inDelta.has(digest),
  );
  if (missing.length === 0) return;
  const lines = missing
    .slice(0, 10)
    .map(
      ({ digest, sizeBytes, images }) =>
        `  ${digest}${sizeBytes === undefined ? '' : `, ${sizeBytes} bytes`}, of ${images[0] ?? '?'}`,
    );
  if (missing.length > lines.length) lines.push(`  … and ${missing.length - lines.length} more`);
  throw new EdgefabError(
    `the cache at ${root} lacks ${missing.length} blobs that this delta takes for granted (it starts from lock ${index.since ?? 'none'}):\n${lines.join('\n')}`,
    {
      code: 'DELTA_BASE_MISSING',
      suggestions: [
        'Export again with --since the lock of this cache (its edgefab.lock)',
        `If this is the right cache, run edgefab cache verify ${root} --repair first`,
      ],
      place: { file: root },
    },
  );
}

/**
 * Copies the members of the planned parts into a cache; each is hashed on its way and named when it is right. When
 * nothing is missing any more, the new lock, its views and the state `complete` follow. Until then the cache stays
 * what it was. Returns the new cache file, or undefined while parts are absent. Throws DELTA_INVALID, DISK_FULL.
 */
export async function applyDelta(
  plan: ApplyPlan,
  store: Store,
  options: ApplyDeltaOptions,
): Promise<CacheFile | undefined> {
  for (const part of plan.parts) {
    for (const [at, { member }] of part.members.entries()) {
      if (!plan.held.has(cachePath(member))) await copyMember(part, at, member, store, options);
    }
  }
  const [first] = plan.parts;
  if (first === undefined || plan.absentParts.length > 0) return undefined;
  await store.begin(first.lock);
  return await store.complete(first.lock);
}

async function copyMember(
  part: DeltaPart,
  at: number,
  member: DeltaMember,
  store: Store,
  { signal, onBytes }: ApplyDeltaOptions,
): Promise<void> {
  signal?.throwIfAborted();
  const start = member.chunk?.offset ?? 0;
  const end = start + member.sizeBytes;
  const blob = wholeOf(member);
  const target = member.siteFile ? await openSiteFile(store.root, blob) : await store.openBlob(blob);
  let open = true;
  try {
    if (target.offset < start) {
      throw new EdgefabError(
        `${part.path} goes on with ${blob.digest} at byte ${start}, and the cache has ${target.offset}`,
        {
          code: 'DELTA_INCOMPLETE',
          suggestions: [`Apply the parts before part ${part.index.part} first`],
          place: { file: part.path },
        },
      );
    }
    // A whole blob is copied anew: what an interrupted run left is no more than this medium gives in seconds.
    if (member.chunk === undefined) await target.restart();
    const skip = Math.min(Math.max(0, target.offset - start), member.sizeBytes);
    onBytes?.(skip);
    const hash = member.chunk === undefined || skip > 0 ? undefined : createHash('sha256');
    for await (const bytes of part.read(at, skip)) {
      signal?.throwIfAborted();
      hash?.update(bytes);
      await target.write(bytes);
      onBytes?.(bytes.length);
    }
    const got = hash === undefined ? member.digest : `sha256:${hash.digest('hex')}`;
    if (got !== member.digest) {
      await target.restart();
      throw wrongMember(part.path, member, got);
    }
    if (end < blob.sizeBytes) return;
    await target.finish();
    open = false;
  } catch (error) {
    if (!hasCode(error, 'BLOB_DIGEST_MISMATCH')) throw error;
    await target.restart();
    throw wrongMember(part.path, member, 'another digest');
  } finally {
    if (open) await target.suspend();
  }
}
