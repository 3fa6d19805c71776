import { createHash } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname, join, parse } from 'node:path';
import { EdgefabError, hasCode } from '../../../errors.ts';
import { encodeTarHeader, TAR_BLOCK_BYTES } from '../../../formats/ustar.ts';
import { asDiskFull } from '../disk-full.ts';
import { syncFolder, writeFileDurably } from '../write-file-durably.ts';
import {
  cachePath,
  type DeltaMember,
  encodeDeltaIndex,
  INDEX_MEMBER,
  LOCK_MEMBER,
  memberName,
} from './delta-index.ts';
import type { DeltaPlan } from './plan-delta.ts';
import { readBytes } from './read-bytes.ts';

/** A part that was written; `sha256` is of the whole file, and stands beside it in PATH.sha256. */
export interface DeltaFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly sha256: string;
}

export interface WriteDeltaOptions {
  readonly signal?: AbortSignal;
  readonly onBytes?: (bytes: number) => void;
}

/** The paths of a delta's parts: the path itself when there is one part, otherwise NAME-1of3.EXT and so on. */
export function partPaths(path: string, parts: number): string[] {
  if (parts === 1) return [path];
  const { dir, name, ext } = parse(path);
  const folder = dir === '' || dir.endsWith('/') ? dir : `${dir}/`;
  return Array.from({ length: parts }, (_, at) => `${folder}${name}-${at + 1}of${parts}${ext}`);
}

/**
 * Writes every part of a delta and, beside each, a line for `sha256sum -c`. Blobs are hashed again on the way; the
 * names appear when all parts are whole and flushed. Throws BLOB_DIGEST_MISMATCH, DISK_FULL.
 */
export async function writeDelta(
  root: string,
  plan: DeltaPlan,
  path: string,
  options: WriteDeltaOptions,
): Promise<DeltaFile[]> {
  const paths = partPaths(path, plan.parts.length);
  const temporary = (target: string): string => `${target}.${process.pid}.tmp`;
  try {
    const files: DeltaFile[] = [];
    for (const [at, target] of paths.entries()) {
      const sha256 = await writePart(root, plan, at + 1, temporary(target), options);
      files.push({ path: target, sizeBytes: plan.parts[at] ?? 0, sha256 });
    }
    for (const file of files) {
      await rename(temporary(file.path), file.path);
      await writeFileDurably(`${file.path}.sha256`, `${file.sha256}  ${parse(file.path).base}\n`);
    }
    await syncFolder(dirname(paths[0] ?? path));
    return files;
  } catch (error) {
    for (const target of paths) await rm(temporary(target), { force: true });
    if (hasCode(error, 'EFBIG')) {
      throw new EdgefabError(`the file system at ${dirname(path)} cannot hold a file this large`, {
        code: 'FILESYSTEM_UNFIT',
        suggestions: ['Use --split 4GB: FAT holds files of less than 4 GiB'],
        place: { file: path },
        cause: error,
      });
    }
    throw asDiskFull(error, path);
  }
}

async function writePart(
  root: string,
  plan: DeltaPlan,
  part: number,
  path: string,
  options: WriteDeltaOptions,
): Promise<string> {
  const hash = createHash('sha256');
  const file = await open(path, 'w', 0o644);
  try {
    const put = async (bytes: Uint8Array): Promise<void> => {
      hash.update(bytes);
      await writeFully(file, bytes);
    };
    const pad = (size: number): Promise<void> =>
      put(Buffer.alloc((TAR_BLOCK_BYTES - (size % TAR_BLOCK_BYTES)) % TAR_BLOCK_BYTES));
    const putFile = async (name: string, bytes: Uint8Array): Promise<void> => {
      await put(encodeTarHeader({ name, sizeBytes: bytes.length }));
      await put(bytes);
      await pad(bytes.length);
    };
    await putFile(INDEX_MEMBER, encodeDeltaIndex({ ...plan.index, part }));
    await putFile(LOCK_MEMBER, Buffer.from(plan.lockText));
    for (const member of plan.index.parts[part - 1] ?? []) {
      await put(encodeTarHeader({ name: memberName(member), sizeBytes: member.sizeBytes }));
      await putMember(root, member, put, options);
      await pad(member.sizeBytes);
    }
    await put(Buffer.alloc(2 * TAR_BLOCK_BYTES));
    await file.sync();
  } finally {
    await file.close();
  }
  return hash.digest('hex');
}

async function writeFully(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at)).bytesWritten;
}

async function putMember(
  root: string,
  member: DeltaMember,
  put: (bytes: Uint8Array) => Promise<void>,
  { signal, onBytes }: WriteDeltaOptions,
): Promise<void> {
  const { digest, sizeBytes, chunk } = member;
  const path = join(root, cachePath(member));
  const hash = createHash('sha256');
  const blob = await open(path, 'r');
  try {
    for await (const bytes of readBytes(blob, path, chunk?.offset ?? 0, sizeBytes)) {
      signal?.throwIfAborted();
      hash.update(bytes);
      await put(bytes);
      onBytes?.(bytes.length);
    }
  } finally {
    await blob.close();
  }
  const got = `sha256:${hash.digest('hex')}`;
  if (got === digest) return;
  throw new EdgefabError(`${path} has digest ${got}, want ${digest}`, {
    code: 'BLOB_DIGEST_MISMATCH',
    suggestions: [
      member.siteFile
        ? 'Build the sites that need it again with --spill, then run this command again'
        : `Run edgefab cache verify ${root} --repair, then this command again`,
    ],
    place: { file: path },
  });
}
