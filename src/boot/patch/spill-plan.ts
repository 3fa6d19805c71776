import { createHash } from 'node:crypto';
import { constants, deflateRawSync } from 'node:zlib';
import { fileBytes } from '../ignition/file-contents.ts';
import type { Ignition, IgnitionFile } from '../ignition/ignition.ts';
import { isSecretFile } from '../ignition/secret.ts';
import type { OwnContent, OwnFile } from './own-content.ts';
import { isManifestPath, unfitPlace } from './spill-places.ts';
import { waitersOf } from './spill-waiters.ts';

/** Below this the line in the list, and the fetch itself, are hardly worth it. */
const MIN_BYTES = 4096;
/** `0644`, what Ignition gives a file without a mode. */
const DEFAULT_MODE = 0o644;

/** A file that the machine can fetch from its cache disk instead of finding it in its config. */
export interface SpillFile {
  readonly path: string;
  /** As chmod takes it: 0o755. */
  readonly mode: number;
  readonly bytes: Uint8Array;
  readonly sizeBytes: number;
  /** In hex. */
  readonly sha256: string;
  /** About what it takes of an embed area: compressed alone. */
  readonly packedBytes: number;
  readonly from: readonly string[];
}

/** A file of the user's own that has to stay in the config. */
export interface StayingFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly why: string;
}

/** What of the user's own files can be moved to the cache disk, the most worth first, and what cannot. */
export interface SpillPlan {
  readonly candidates: readonly SpillFile[];
  readonly staying: readonly StayingFile[];
}

/** Forms whose inside cannot be looked into, by their first bytes. gzip is looked into. */
const OPAQUE: readonly (readonly [string, readonly number[]])[] = [
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['zip', [0x50, 0x4b, 0x03, 0x04]],
  ['7z', [0x37, 0x7a, 0xbc, 0xaf]],
  ['lz4', [0x04, 0x22, 0x4d, 0x18]],
  // Keys and key stores: DER (SEQUENCE with a length of two bytes), Java's.
  ['DER', [0x30, 0x82]],
  ['a Java key store', [0xfe, 0xed, 0xfe, 0xed]],
];

function isRoot(owner: string | number | undefined): boolean {
  return owner === undefined || owner === 'root' || owner === 0;
}

/** Says why the bytes may not lie on a disk that many sites share. */
function unfitContent(path: string, bytes: Uint8Array): string | undefined {
  if (isSecretFile(path, bytes)) return 'it may hold a secret, and the cache disk holds none';
  const opaque = OPAQUE.find(([, first]) => first.every((byte, index) => bytes[index] === byte));
  if (opaque !== undefined) return `it is ${opaque[0]}, which cannot be looked into for secrets`;
  return undefined;
}

function unfitEntry({ user, group, mode = DEFAULT_MODE, append }: IgnitionFile): string | undefined {
  if (append.length > 0) return 'it is appended to, and only whole files are fetched';
  if (!isRoot(user) || !isRoot(group)) return 'it has another owner than root';
  if (mode > 0o777) return 'it has a set-user, set-group or sticky bit';
  return (mode & 0o004) === 0 ? 'not everyone may read it, so it may hold a secret' : undefined;
}

/**
 * Plans what can be moved out of a patched config: files of the user's own that lie where nothing looks before the
 * fetch, that all may read and that hold no secret. `unshared` says which sites have none of a file; undefined when
 * all have it. Throws IGNITION_INVALID for contents that cannot be decoded.
 */
export function planSpill(
  ignition: Ignition,
  own: OwnContent,
  unshared: (file: OwnFile) => string | undefined,
): SpillPlan {
  const waiters = waitersOf(ignition, own);
  const candidates: SpillFile[] = [];
  const staying: StayingFile[] = [];
  for (const file of own.files) {
    const { path, from } = file;
    const entry = ignition.files.find((each) => each.path === path);
    const bytes = entry === undefined ? undefined : fileBytes(ignition, entry);
    if (entry === undefined || bytes === undefined || bytes.length < MIN_BYTES) continue;
    const why =
      unfitPlace(path) ??
      (file.replaces ? 'it replaces a file of the installer or of edgefab' : undefined) ??
      unfitEntry(entry) ??
      unshared(file) ??
      (isManifestPath(path) ? undefined : waiters.tooEarly(path, from)) ??
      unfitContent(path, bytes);
    const sizeBytes = bytes.length;
    if (why !== undefined) {
      staying.push({ path, sizeBytes, why });
      continue;
    }
    candidates.push({
      path,
      from,
      bytes,
      sizeBytes,
      mode: entry.mode ?? DEFAULT_MODE,
      sha256: createHash('sha256').update(bytes).digest('hex'),
      packedBytes: deflateRawSync(bytes, { level: constants.Z_BEST_COMPRESSION }).length,
    });
  }
  const byPath = (a: { path: string }, b: { path: string }): number => (a.path < b.path ? -1 : 1);
  return {
    candidates: candidates.sort((a, b) => b.packedBytes - a.packedBytes || byPath(a, b)),
    staying: staying.sort((a, b) => b.sizeBytes - a.sizeBytes || byPath(a, b)),
  };
}
