import type { Stats } from 'node:fs';
import { constants } from 'node:fs';
import { lstat, open, readdir, readlink, realpath } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, relative, resolve, sep } from 'node:path';
import { ButaneError } from './butane-error.ts';

const MAX_FILES = 10_000;
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;

/** A file, folder or link of the files folder; a link's `leads` is the path it stands for in the end. */
export type LocalNode =
  | { readonly kind: 'file'; readonly bytes: Uint8Array<ArrayBuffer>; readonly executable: boolean }
  | { readonly kind: 'folder' }
  | { readonly kind: 'link'; readonly target: string; readonly leads: string | undefined };

/** Nodes by their path in the files folder; `.` is the folder itself, and every node's folder is there. */
export type LocalFiles = ReadonlyMap<string, LocalNode>;

/**
 * Reads the files a document names in `filesDir` into memory, for Butane to see these and nothing else.
 * Butane itself checks names only as text and follows symbolic links, so a link could show it any file of
 * the machine. A name that is absolute, has `..` at the front, or leads outside through a link throws
 * FILE_OUTSIDE; a device, a pipe or too much throws FILE_UNFIT. A name that does not exist is left for
 * Butane to report with its line.
 */
export async function loadLocalFiles(filesDir: string, names: readonly string[]): Promise<LocalFiles> {
  const root = await realpath(filesDir).catch((cause: unknown) => {
    throw new ButaneError(`cannot read the files folder ${filesDir}`, 'FILE_UNFIT', undefined, cause);
  });
  const loading = new Loading(filesDir, root);
  for (const name of names) {
    if (isAbsolute(name) || leaves(name)) throw outside(name, filesDir, 'the name leads out of it');
    await loading.named(name);
  }
  return loading.nodes;
}

/** Tells whether a relative path leads out of the folder it starts from, as text. */
function leaves(path: string): boolean {
  const clean = normalize(path);
  return clean === '..' || clean.startsWith(`..${sep}`) || isAbsolute(clean);
}

class Loading {
  readonly nodes = new Map<string, LocalNode>([['.', { kind: 'folder' }]]);
  readonly #filesDir: string;
  readonly #root: string;
  #files = 0;
  #bytes = 0;

  constructor(filesDir: string, root: string) {
    this.#filesDir = filesDir;
    this.#root = root;
  }

  /** Loads what a name stands for and the links on its way. */
  async named(name: string): Promise<void> {
    let at = '.';
    for (const part of normalize(name).split(sep)) {
      const next = join(at, part);
      const found = await lstat(join(this.#root, next)).catch(() => undefined);
      if (found === undefined) return;
      at = next;
      if (!found.isSymbolicLink()) continue;
      const target = await readlink(join(this.#root, next)).catch(this.#unreadable(name));
      const leads = await this.#leads(next, target, name);
      this.#put(next, { kind: 'link', target, leads }, name);
      if (leads === undefined) return;
      at = leads;
    }
    await this.#load(at, await lstat(join(this.#root, at)).catch(this.#unreadable(name)), name);
  }

  async #load(path: string, found: Stats, name: string): Promise<void> {
    if (this.nodes.get(path)?.kind === 'file') return;
    if (found.isDirectory()) await this.#tree(path, name);
    else await this.#file(path, name);
  }

  async #tree(path: string, name: string): Promise<void> {
    this.#put(path, { kind: 'folder' }, name);
    const entries = await readdir(join(this.#root, path)).catch(this.#unreadable(name));
    for (const entry of entries.sort()) {
      const [inner, shown] = [join(path, entry), join(name, entry)];
      const found = await lstat(join(this.#root, inner)).catch(this.#unreadable(shown));
      if (found.isSymbolicLink()) await this.#linkOfTree(inner, shown);
      else await this.#load(inner, found, shown);
    }
  }

  /** Keeps a link of a tree as a link, as Butane does; its target must stay inside as text too. */
  async #linkOfTree(path: string, name: string): Promise<void> {
    const target = await readlink(join(this.#root, path)).catch(this.#unreadable(name));
    if (!isPlainLink(path, target)) throw outside(name, this.#filesDir, `it is a link to ${target}`);
    this.#put(path, { kind: 'link', target, leads: await this.#leads(path, target, name) }, name);
  }

  /** Follows a link to its end; undefined where nothing is there, FILE_OUTSIDE where it leaves. */
  async #leads(path: string, target: string, name: string): Promise<string | undefined> {
    const link = join(this.#root, path);
    const real = await realpath(link).catch(() => undefined);
    if (leaves(relative(this.#root, real ?? resolve(dirname(link), target)))) {
      throw outside(name, this.#filesDir, `it is a link to ${real ?? target}`);
    }
    return real === undefined ? undefined : relative(this.#root, real) || '.';
  }

  async #file(path: string, name: string): Promise<void> {
    // O_NONBLOCK: opening a pipe must not wait for its writer.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    await using input = await open(join(this.#root, path), flags).catch(this.#unreadable(name));
    const found = await input.stat();
    if (!found.isFile()) throw new ButaneError(`${name} in ${this.#filesDir} is not a file`, 'FILE_UNFIT');
    this.#count(found.size, name);
    // Reads what stat promised and no more: a file that grows meanwhile cannot pass the limit.
    const bytes = new Uint8Array(found.size);
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await input.read(bytes, at, bytes.length - at, at);
      if (bytesRead === 0) throw new ButaneError(`${name} became shorter while it was read`, 'FILE_UNFIT');
      at += bytesRead;
    }
    this.#put(path, { kind: 'file', bytes, executable: (found.mode & 0o111) !== 0 }, name);
  }

  #unreadable(name: string): (cause: unknown) => never {
    return (cause) => {
      throw new ButaneError(`cannot read ${name} in ${this.#filesDir}`, 'FILE_UNFIT', undefined, cause);
    };
  }

  #put(path: string, node: LocalNode, name: string): void {
    if (node.kind !== 'file' && !this.nodes.has(path)) this.#count(0, name);
    this.nodes.set(path, node);
    for (let up = dirname(path); !this.nodes.has(up); up = dirname(up))
      this.nodes.set(up, { kind: 'folder' });
  }

  #count(bytes: number, name: string): void {
    this.#files += 1;
    this.#bytes += bytes;
    if (this.#files > MAX_FILES || this.#bytes > MAX_TOTAL_BYTES) {
      throw new ButaneError(
        `${name} in ${this.#filesDir} makes ${this.#files} files of ${this.#bytes} bytes together: want at most ${MAX_FILES} files of ${MAX_TOTAL_BYTES} bytes`,
        'FILE_UNFIT',
      );
    }
  }
}

/**
 * Tells whether a link at `path` can be copied as it is: relative, inside as text, and with `..` only at
 * the front, because after a name it could climb through another link.
 */
export function isPlainLink(path: string, target: string): boolean {
  const clean = normalize(target);
  const climbs = clean !== target && clean !== target.replace(/\/+$/u, '');
  return !isAbsolute(target) && !climbs && !leaves(join(dirname(path), clean));
}

function outside(name: string, filesDir: string, reason: string): ButaneError {
  return new ButaneError(`${name} is outside the files folder ${filesDir}: ${reason}`, 'FILE_OUTSIDE');
}
