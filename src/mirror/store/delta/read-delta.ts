import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { EdgefabError } from '../../../errors.ts';
import { decodeTarHeader, encodeTarHeader, TAR_BLOCK_BYTES, tarFileBytes } from '../../../formats/ustar.ts';
import { type Digest, digestOf } from '../../../oci/digest.ts';
import { type Lock, lockId, parseLock } from '../../resolve/lock.ts';
import {
  type DeltaIndex,
  type DeltaMember,
  INDEX_MEMBER,
  LOCK_MEMBER,
  MAX_INDEX_BYTES,
  memberName,
  parseDeltaIndex,
  partBytes,
} from './delta-index.ts';
import { readBytes } from './read-bytes.ts';

/** A part of a delta, open for reading. Only `index` and `lock` are checked yet. */
export interface DeltaPart extends AsyncDisposable {
  readonly path: string;
  readonly index: DeltaIndex;
  readonly lock: Lock;
  /** The members of this part and where their content starts in the file. */
  readonly members: readonly { readonly member: DeltaMember; readonly offset: number }[];
  /** Reads a member's bytes, leaving out the first `skipBytes`. */
  read(at: number, skipBytes?: number): AsyncGenerator<Uint8Array>;
}

function faultOf(path: string, what: string, cause?: unknown): EdgefabError {
  return new EdgefabError(`${path}: ${what}`, {
    code: 'DELTA_INVALID',
    suggestions: ['Copy the file again from where it was made; sha256sum -c tells whether it is the same'],
    place: { file: path },
    cause,
  });
}

/**
 * Opens a part: its first members must be index.json and the lock with the digests stated, its length and every
 * tar header what follows from the index. So nothing else can be in it. Throws DELTA_INVALID, TAR_INVALID,
 * FILE_UNREADABLE.
 */
export async function openDelta(path: string): Promise<DeltaPart> {
  const file = await openFile(path);
  try {
    const part = await readHead(file, path);
    return { ...part, [Symbol.asyncDispose]: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (cause) {
    throw new EdgefabError(`cannot read ${path}`, { code: 'FILE_UNREADABLE', place: { file: path }, cause });
  }
}

async function readAll(file: FileHandle, path: string, offset: number, sizeBytes: number): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const bytes of readBytes(file, path, offset, sizeBytes)) chunks.push(bytes);
  return Buffer.concat(chunks);
}

async function readHead(
  file: FileHandle,
  path: string,
): Promise<Omit<DeltaPart, typeof Symbol.asyncDispose>> {
  const stat = await file.stat();
  if (!stat.isFile() || stat.size < 4 * TAR_BLOCK_BYTES) throw faultOf(path, 'is no part of a delta');
  const first = decodeTarHeader(await readAll(file, path, 0, TAR_BLOCK_BYTES), path);
  if (first.name !== INDEX_MEMBER || first.sizeBytes > MAX_INDEX_BYTES || first.sizeBytes > stat.size) {
    throw faultOf(path, `starts with ${first.name} of ${first.sizeBytes} bytes, want ${INDEX_MEMBER}`);
  }
  const index = parseDeltaIndex(await readAll(file, path, TAR_BLOCK_BYTES, first.sizeBytes), path);
  const want = partBytes(index, index.part, first.sizeBytes);
  if (stat.size !== want) throw faultOf(path, `has ${stat.size} bytes, want ${want}: the copy is not whole`);
  let offset = tarFileBytes(first.sizeBytes);
  const enter = async (name: string, sizeBytes: number): Promise<number> => {
    const header = await readAll(file, path, offset, TAR_BLOCK_BYTES);
    if (!header.equals(encodeTarHeader({ name, sizeBytes }))) {
      const got = decodeTarHeader(header, path);
      throw faultOf(
        path,
        `holds ${got.name} of ${got.sizeBytes} bytes at byte ${offset}, want ${name} of ${sizeBytes}`,
      );
    }
    const start = offset + TAR_BLOCK_BYTES;
    offset += tarFileBytes(sizeBytes);
    return start;
  };
  const text = await readAll(file, path, await enter(LOCK_MEMBER, index.lockBytes), index.lockBytes);
  const got = digestOf(text);
  if (got !== index.lock) throw faultOf(path, `${LOCK_MEMBER} has digest ${got}, want ${index.lock}`);
  const lock = parseLock(text.toString('utf8'), `${path}:${LOCK_MEMBER}`);
  if (lockId(lock) !== index.lock) throw faultOf(path, `${LOCK_MEMBER} is not written as edgefab writes it`);
  const members: { member: DeltaMember; offset: number }[] = [];
  for (const member of index.parts[index.part - 1] ?? []) {
    members.push({ member, offset: await enter(memberName(member), member.sizeBytes) });
  }
  return {
    path,
    index,
    lock,
    members,
    read: (at, skipBytes = 0) => {
      const found = members[at];
      if (found === undefined) throw new RangeError(`part ${path} has no member ${at}`);
      return readBytes(file, path, found.offset + skipBytes, found.member.sizeBytes - skipBytes);
    },
  };
}

/** The error of a member whose bytes are not what the index says. */
export function wrongMember(path: string, member: DeltaMember, got: Digest | string): EdgefabError {
  return faultOf(path, `${memberName(member)} has digest ${got}, want ${member.digest}`);
}

export interface DeltaReport {
  readonly id: Digest;
  readonly since?: Digest | undefined;
  readonly lock: Digest;
  readonly part: number;
  readonly parts: number;
  readonly blobs: number;
  readonly siteFiles: number;
  /** Of both. */
  readonly bytes: number;
}

/** Hashes everything in one part of a delta, which needs no cache and no other part. Throws DELTA_INVALID. */
export async function verifyDelta(
  path: string,
  options: {
    readonly signal?: AbortSignal;
    readonly onStart?: (totalBytes: number) => void;
    readonly onBytes?: (bytes: number) => void;
  },
): Promise<DeltaReport> {
  await using part = await openDelta(path);
  const total = part.members.reduce((sum, { member }) => sum + member.sizeBytes, 0);
  options.onStart?.(total);
  for (const [at, { member }] of part.members.entries()) {
    const hash = createHash('sha256');
    for await (const bytes of part.read(at)) {
      options.signal?.throwIfAborted();
      hash.update(bytes);
      options.onBytes?.(bytes.length);
    }
    const got = `sha256:${hash.digest('hex')}`;
    if (got !== member.digest) throw wrongMember(path, member, got);
  }
  const { id, since, lock, part: number, parts } = part.index;
  const siteFiles = part.members.filter(({ member }) => member.siteFile).length;
  const blobs = part.members.length - siteFiles;
  return { id, since, lock, part: number, parts: parts.length, blobs, siteFiles, bytes: total };
}
