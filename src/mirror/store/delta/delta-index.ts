import { createHash } from 'node:crypto';
import { z } from 'zod/v4';
import { EdgefabError } from '../../../errors.ts';
import { TAR_BLOCK_BYTES, tarFileBytes } from '../../../formats/ustar.ts';
import { type Digest, digestHex, isDigest } from '../../../oci/digest.ts';
import type { LockedBlob } from '../../resolve/lock.ts';

/** The first two members of every part; the blobs follow. */
export const INDEX_MEMBER = 'index.json';
export const LOCK_MEMBER = 'edgefab.lock';

/** More than the index of any real delta: 160 bytes a blob. */
export const MAX_INDEX_BYTES = 64 * 1024 * 1024;
const MAX_PARTS = 10_000;
/** What ends a tar. */
const END_BYTES = 2 * TAR_BLOCK_BYTES;

const digest = z.custom<Digest>((value) => typeof value === 'string' && isDigest(value), {
  error: 'want sha256: and 64 lower-case hex characters',
});
const sizeBytes = z.number().int().nonnegative();

const member = z.strictObject({
  digest,
  sizeBytes,
  /** Of a blob too large for one part: where these bytes stand in it. */
  chunk: z.strictObject({ blob: digest, blobBytes: sizeBytes, offset: sizeBytes }).optional(),
  /** No blob but a file that boot sticks have no room for. */
  siteFile: z.literal(true).optional(),
});

const deltaIndex = z.strictObject({
  apiVersion: z.literal('edgefab.io/v1'),
  kind: z.literal('CacheDelta'),
  id: digest,
  part: z.number().int().positive(),
  since: digest.optional(),
  lock: digest,
  lockBytes: sizeBytes,
  parts: z.array(z.array(member)).min(1).max(MAX_PARTS),
});

/** One blob or site file of a delta, or a piece of one; `digest` is of these bytes. */
export type DeltaMember = Readonly<z.infer<typeof member>>;

/**
 * What a delta holds: the members of each part, in order, and the ids of the locks it leads from and to. Without
 * `since` it is a whole cache. `id` is the same in all parts, `part` counts from 1.
 */
export interface DeltaIndex {
  readonly id: Digest;
  readonly part: number;
  readonly since?: Digest | undefined;
  readonly lock: Digest;
  readonly lockBytes: number;
  readonly parts: readonly (readonly DeltaMember[])[];
}

/** Names a delta by what is in it. */
export function deltaId({
  since,
  lock,
  lockBytes,
  parts,
}: Pick<DeltaIndex, 'since' | 'lock' | 'lockBytes' | 'parts'>): Digest {
  const members = parts.map((part) =>
    part.map(({ digest: hash, sizeBytes: size, chunk, siteFile }) => [
      hash,
      size,
      ...(chunk === undefined ? [] : [chunk.blob, chunk.blobBytes, chunk.offset]),
      ...(siteFile === undefined ? [] : [siteFile]),
    ]),
  );
  const text = JSON.stringify([since ?? null, lock, lockBytes, members]);
  return `sha256:${createHash('sha256').update(text).digest('hex')}` as Digest;
}

/** Digest and size of what a member is, or is a piece of. */
export function wholeOf({ digest: hash, sizeBytes: size, chunk }: DeltaMember): LockedBlob {
  return chunk === undefined
    ? { digest: hash, sizeBytes: size }
    : { digest: chunk.blob, sizeBytes: chunk.blobBytes };
}

/** Where in a cache that is, relative to its root. */
export function cachePath({
  digest: hash,
  chunk,
  siteFile,
}: Pick<DeltaMember, 'digest' | 'chunk' | 'siteFile'>): string {
  return `${siteFile ? 'files' : 'blobs'}/sha256/${digestHex(chunk?.blob ?? hash)}`;
}

/** The name of a member in the tar: its path in a cache; of a piece, with its offset after a dot. */
export function memberName(member: DeltaMember): string {
  const path = cachePath(member);
  return member.chunk === undefined ? path : `${path}.${String(member.chunk.offset).padStart(15, '0')}`;
}

/** The bytes of a part's tar file, given how long its index is. */
export function partBytes(
  index: Pick<DeltaIndex, 'lockBytes' | 'parts'>,
  part: number,
  indexBytes: number,
): number {
  const members = index.parts[part - 1] ?? [];
  return members.reduce(
    (sum, item) => sum + tarFileBytes(item.sizeBytes),
    tarFileBytes(indexBytes) + tarFileBytes(index.lockBytes) + END_BYTES,
  );
}

/** Writes `index.json` of one part. */
export function encodeDeltaIndex({ id, part, since, lock, lockBytes, parts }: DeltaIndex): Uint8Array {
  const document = {
    apiVersion: 'edgefab.io/v1',
    kind: 'CacheDelta',
    id,
    part,
    ...(since === undefined ? {} : { since }),
    lock,
    lockBytes,
    parts,
  };
  return Buffer.from(`${JSON.stringify(document, null, 1)}\n`);
}

/** Reads `index.json` of a part; `where` is the archive's path. Throws DELTA_INVALID. */
export function parseDeltaIndex(bytes: Uint8Array, where: string): DeltaIndex {
  const fault = (what: string, cause?: unknown): EdgefabError =>
    new EdgefabError(`${where} is no part of a delta: its ${INDEX_MEMBER} ${what}`, {
      code: 'DELTA_INVALID',
      suggestions: ['Copy the file again from where it was made'],
      place: { file: where },
      cause,
    });
  let index: DeltaIndex;
  try {
    index = deltaIndex.parse(JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)));
  } catch (cause) {
    throw fault('cannot be read', cause);
  }
  const got = deltaId(index);
  if (got !== index.id) throw fault(`has the id ${index.id}, want ${got}: it was changed`);
  if (index.part > index.parts.length) throw fault(`is of part ${index.part} of ${index.parts.length}`);
  assertWhole(index, fault);
  return index;
}

/** Refuses blobs that come twice, and pieces that do not add up to their blob in the order of the parts. */
function assertWhole(index: DeltaIndex, fault: (what: string) => EdgefabError): void {
  const ends = new Map<string, { end: number; want: number }>();
  for (const member of index.parts.flat()) {
    const { sizeBytes: size, chunk } = member;
    const path = cachePath(member);
    const known = ends.get(path);
    const offset = chunk?.offset ?? 0;
    const want = wholeOf(member).sizeBytes;
    const fits = known === undefined ? offset === 0 : known.end === offset && known.want === want && size > 0;
    if (!fits || (known !== undefined && chunk === undefined) || offset + size > want) {
      throw fault(`names ${path} twice, or its pieces do not follow each other`);
    }
    ends.set(path, { end: offset + size, want });
  }
  for (const [path, { end, want }] of ends) {
    if (end !== want) throw fault(`has ${end} of ${want} bytes of ${path}`);
  }
}
