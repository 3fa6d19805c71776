import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError } from '../../../errors.ts';
import { TAR_BLOCK_BYTES, tarFileBytes } from '../../../formats/ustar.ts';
import { type Digest, parseDigest } from '../../../oci/digest.ts';
import { formatLock, type Lock, lockId } from '../../resolve/lock.ts';
import { assertCompleteCache } from '../cache-file.ts';
import { loadCache } from '../load-cache.ts';
import { listSiteFiles } from '../site-files.ts';
import { storePaths } from '../store-paths.ts';
import { wantedFiles } from '../wanted-files.ts';
import {
  cachePath,
  type DeltaIndex,
  type DeltaMember,
  deltaId,
  encodeDeltaIndex,
  partBytes,
} from './delta-index.ts';

/** A delta that is to be written: the index without its part number, and what each part's file takes. */
export interface DeltaPlan {
  readonly index: Omit<DeltaIndex, 'part'>;
  readonly lockText: string;
  /** Bytes of each part's file, in order. */
  readonly parts: readonly number[];
  readonly blobs: number;
  readonly blobBytes: number;
  /** Files that boot sticks have no room for: all of them, as no lock tells which the other side has. */
  readonly siteFiles: number;
  readonly siteFileBytes: number;
}

export interface DeltaOptions {
  /** What the other side has; everything is taken when not given. */
  readonly since?: Lock;
  /** Most bytes of one part. */
  readonly splitBytes?: number;
  readonly signal?: AbortSignal;
}

/** A part that holds less than this beside its index is not worth a medium. */
const LEAST_ROOM_BYTES = 64 * 1024;

/**
 * Plans the delta that leads from one lock to a complete cache: every blob and manifest the first does not name, and the
 * files of sites.
 * Throws CACHE_INCOMPLETE, and USAGE_INVALID when parts are to be too small for their index.
 */
export async function planDelta(root: string, options: DeltaOptions): Promise<DeltaPlan> {
  const { lock } = await loadCache(root);
  await assertCompleteCache(root, lockId(lock));
  const { since, splitBytes = Number.MAX_SAFE_INTEGER } = options;
  const held = new Set(since === undefined ? [] : wantedFiles(since.images).keys());
  const blobs: DeltaMember[] = [];
  for (const { digest, sizeBytes } of wantedFiles(lock.images).values()) {
    if (held.has(digest)) continue;
    blobs.push({ digest, sizeBytes: sizeBytes ?? (await stat(storePaths.blob(root, digest))).size });
  }
  const siteFiles = (await listSiteFiles(root)).files.map(
    ({ hex, sizeBytes }): DeltaMember => ({
      digest: parseDigest(`sha256:${hex}`),
      sizeBytes,
      siteFile: true,
    }),
  );
  const members = [...blobs, ...siteFiles].sort(
    (a, b) => b.sizeBytes - a.sizeBytes || (a.digest < b.digest ? -1 : 1),
  );
  const lockText = formatLock(lock);
  const head = {
    ...(since === undefined ? {} : { since: lockId(since) }),
    lock: lockId(lock),
    lockBytes: Buffer.byteLength(lockText),
  };
  // Every part carries the whole index, whose length depends on how the blobs are cut.
  let indexBytes = encodedBytes({ ...head, parts: [blobs] });
  for (;;) {
    const room = splitBytes - partBytes({ ...head, parts: [[]] }, 1, indexBytes);
    if (room < LEAST_ROOM_BYTES) {
      const least = splitBytes - room + LEAST_ROOM_BYTES;
      throw new EdgefabError(`parts of ${splitBytes} bytes are too small: want at least ${least}`, {
        code: 'USAGE_INVALID',
      });
    }
    const packed = packParts(members, room);
    const needed = encodedBytes({ ...head, parts: packed });
    if (needed > indexBytes) {
      indexBytes = needed;
      continue;
    }
    const parts = await hashPieces(root, packed, options.signal);
    const body = { ...head, parts };
    const index = { id: deltaId(body), ...body };
    return {
      index,
      lockText,
      parts: parts.map((_, at) =>
        partBytes(index, at + 1, encodeDeltaIndex({ ...index, part: at + 1 }).length),
      ),
      blobs: blobs.length,
      blobBytes: totalBytes(blobs),
      siteFiles: siteFiles.length,
      siteFileBytes: totalBytes(siteFiles),
    };
  }
}

function totalBytes(members: readonly DeltaMember[]): number {
  return members.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
}

function encodedBytes(body: Omit<DeltaIndex, 'id' | 'part'>): number {
  return encodeDeltaIndex({ ...body, id: deltaId(body), part: body.parts.length }).length;
}

/**
 * Puts blobs, largest first, into the first part with room. One that fits no part is cut; its pieces get parts of
 * their own, in order. Pieces carry the blob's digest until theirs is known, which is as long.
 */
function packParts(blobs: readonly DeltaMember[], roomBytes: number): DeltaMember[][] {
  const parts: { members: DeltaMember[]; left: number }[] = [];
  const open = (member: DeltaMember): void =>
    void parts.push({ members: [member], left: roomBytes - tarFileBytes(member.sizeBytes) });
  const most = Math.floor((roomBytes - TAR_BLOCK_BYTES) / TAR_BLOCK_BYTES) * TAR_BLOCK_BYTES;
  for (const blob of blobs) {
    if (blob.sizeBytes > most) {
      for (let offset = 0; offset < blob.sizeBytes; offset += most) {
        const sizeBytes = Math.min(most, blob.sizeBytes - offset);
        const chunk = { blob: blob.digest, blobBytes: blob.sizeBytes, offset };
        open({ ...blob, sizeBytes, chunk });
      }
      continue;
    }
    const bytes = tarFileBytes(blob.sizeBytes);
    const part = parts.find(({ left }) => left >= bytes);
    if (part === undefined) open(blob);
    else {
      part.members.push(blob);
      part.left -= bytes;
    }
  }
  return parts.length === 0 ? [[]] : parts.map(({ members }) => members);
}

async function hashPieces(
  root: string,
  parts: readonly (readonly DeltaMember[])[],
  signal: AbortSignal | undefined,
): Promise<DeltaMember[][]> {
  const hashed: DeltaMember[][] = [];
  for (const members of parts) {
    const done: DeltaMember[] = [];
    for (const member of members) {
      done.push(
        member.chunk === undefined ? member : { ...member, digest: await hashPiece(root, member, signal) },
      );
    }
    hashed.push(done);
  }
  return hashed;
}

async function hashPiece(
  root: string,
  member: DeltaMember,
  signal: AbortSignal | undefined,
): Promise<Digest> {
  const { sizeBytes, chunk } = member;
  const start = chunk?.offset ?? 0;
  const hash = createHash('sha256');
  const range = { start, end: start + sizeBytes - 1, highWaterMark: 1024 * 1024 };
  for await (const bytes of createReadStream(join(root, cachePath(member)), range)) {
    signal?.throwIfAborted();
    hash.update(bytes as Uint8Array);
  }
  return parseDigest(`sha256:${hash.digest('hex')}`);
}
