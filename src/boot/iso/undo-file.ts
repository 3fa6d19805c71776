import { createHash } from 'node:crypto';
import { link, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';

/** Bytes at an offset, before and after a change. */
export interface Change {
  readonly offset: number;
  readonly before: Uint8Array;
  readonly after: Uint8Array;
}

/** What was to be changed in a file; `owner` tells which process was at it. */
export interface Undo {
  readonly owner: string;
  readonly changes: readonly Change[];
}

const MAGIC = 'edgefab-undo-1';
/** Two copies of the largest area there may be, and some. */
const MAX_BYTES = 160 * 1024 * 1024;
/** What file systems without hard links say. */
const NO_LINKS = ['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK'];
const HEADER = /^edgefab-undo-1 (\d{1,9}) ([0-9a-f]{64})\n/;

/** Names the file beside an ISO that holds what a change in place can be taken back with. */
export function undoPath(path: string): string {
  return join(dirname(path), `.${basename(path)}.edgefab-undo`);
}

async function flushFolder(path: string): Promise<void> {
  await using folder = await open(path, 'r');
  await folder.sync();
}

/** Whole or not at all, and never over another: a hard link, where the file system has them. */
async function giveName(temporary: string, path: string): Promise<void> {
  try {
    await link(temporary, path);
  } catch (error) {
    if (!NO_LINKS.some((code) => hasCode(error, code))) throw error;
    await rename(temporary, path);
  }
}

/**
 * Writes the undo file of an ISO and flushes it: a line with length and sha256 of the rest, then a line of JSON, then
 * the bytes. Throws EEXIST when there is one.
 */
export async function writeUndo(path: string, { owner, changes }: Undo): Promise<void> {
  const spans = changes.map(({ offset, before }) => ({ offset, length: before.length }));
  const body = Buffer.concat([
    Buffer.from(`${JSON.stringify({ owner, spans })}\n`),
    ...changes.flatMap(({ before, after }) => [before, after]),
  ]);
  const digest = createHash('sha256').update(body).digest('hex');
  const temporary = `${undoPath(path)}.${process.pid}.tmp`;
  try {
    // It holds what the area held and will hold: keys and pull secrets.
    const file = await open(temporary, 'w', 0o600);
    try {
      await file.writeFile(Buffer.concat([Buffer.from(`${MAGIC} ${body.length} ${digest}\n`), body]));
      await file.sync();
    } finally {
      await file.close();
    }
    await giveName(temporary, undoPath(path));
  } finally {
    await rm(temporary, { force: true });
  }
  await flushFolder(dirname(path));
}

/** Removes the undo file of an ISO, for good, and what a run left that was killed while it wrote one. */
export async function removeUndo(path: string): Promise<void> {
  const prefix = `${basename(undoPath(path))}.`;
  for (const name of await readdir(dirname(path))) {
    const isLeft = name.startsWith(prefix) && /^\d{1,10}\.tmp$/.test(name.slice(prefix.length));
    if (isLeft) await rm(join(dirname(path), name), { force: true });
  }
  await rm(undoPath(path), { force: true });
  await flushFolder(dirname(path));
}

function parseUndo(bytes: Buffer): Undo | undefined {
  const [line, length, digest] = HEADER.exec(bytes.toString('latin1', 0, 128)) ?? [];
  const body = bytes.subarray(line?.length ?? 0);
  if (line === undefined || body.length !== Number(length)) return undefined;
  if (createHash('sha256').update(body).digest('hex') !== digest) return undefined;
  const end = body.indexOf('\n');
  // Its digest is right, so it is as it was written.
  const { owner, spans } = JSON.parse(body.toString('utf8', 0, end)) as {
    readonly owner: string;
    readonly spans: readonly { readonly offset: number; readonly length: number }[];
  };
  let at = end + 1;
  const take = (count: number): Buffer => {
    at += count;
    return body.subarray(at - count, at);
  };
  const changes = spans.map(({ offset, length: count }) => ({
    offset,
    before: take(count),
    after: take(count),
  }));
  return { owner, changes };
}

function unreadable(path: string, why: string): EdgefabError {
  const file = undoPath(path);
  return new EdgefabError(`${file}, which would put ${path} back as it was, ${why}`, {
    code: 'ISO_UNFINISHED',
    place: { file },
    suggestions: ['Take the ISO from where it came from, then remove that file'],
  });
}

/**
 * Loads the undo file of an ISO; undefined when there is none. Throws ISO_UNFINISHED when it is damaged or none of
 * ours.
 */
export async function loadUndo(path: string): Promise<Undo | undefined> {
  const file = undoPath(path);
  let bytes: Buffer;
  try {
    const { size } = await stat(file);
    if (size > MAX_BYTES) throw unreadable(path, `has ${size} bytes, want at most ${MAX_BYTES}`);
    bytes = await readFile(file);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
  const undo = parseUndo(bytes);
  // It was flushed before it got its name, so no kill or power cut leaves a part of it.
  if (undo === undefined) throw unreadable(path, 'is damaged');
  return undo;
}
