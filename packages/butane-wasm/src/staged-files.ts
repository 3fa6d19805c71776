import { constants } from 'node:fs';
import { lstat, mkdir, mkdtemp, open, readdir, readlink, realpath, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, isAbsolute, join, normalize, relative, resolve, sep } from 'node:path';
import { ButaneError } from './butane-error.ts';

const MAX_FILES = 10_000;
const MAX_TOTAL_BYTES = 64 * 1024 * 1024;

/** A folder that holds copies of the named files and nothing else; disposing of it removes it. */
export interface StagedFiles extends AsyncDisposable {
  readonly folder: string;
}

/**
 * Copies the files a document names from `filesDir` into a private folder for Butane to read. Butane
 * itself checks names only as text and follows symbolic links, so a link could show it any file of the
 * machine; here it can reach nothing but the copies. A name that is absolute, has `..` at the front, or
 * leads outside through a link throws FILE_OUTSIDE; a device, a pipe or too much throws FILE_UNFIT. A
 * name that does not exist is left for Butane to report with its line.
 */
export async function stageFiles(filesDir: string, names: readonly string[]): Promise<StagedFiles> {
  const root = await realpath(filesDir).catch((cause: unknown) => {
    throw new ButaneError(`cannot read the files folder ${filesDir}`, 'FILE_UNFIT', undefined, cause);
  });
  const folder = await mkdtemp(join(tmpdir(), 'butane-files-'));
  const staged: StagedFiles = {
    folder,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
  try {
    const copy = new Copy(filesDir, root);
    for (const name of names) {
      const clean = normalize(name);
      if (isAbsolute(name) || leaves(clean)) throw outside(name, filesDir, 'the name leads out of it');
      await copy.named(join(root, clean), join(folder, clean), name);
    }
    return staged;
  } catch (error) {
    await staged[Symbol.asyncDispose]();
    throw error;
  }
}

class Copy {
  readonly #filesDir: string;
  readonly #root: string;
  #files = 0;
  #bytes = 0;

  constructor(filesDir: string, root: string) {
    this.#filesDir = filesDir;
    this.#root = root;
  }

  /** Copies what a name stands for; a link on the way is followed when it stays inside. */
  async named(source: string, target: string, name: string): Promise<void> {
    const real = await realpath(source).catch(() => undefined);
    if (real === undefined) return this.#refuseDangling(source, name);
    if (leaves(relative(this.#root, real))) throw outside(name, this.#filesDir, `it is a link to ${real}`);
    const found = await lstat(real);
    if (found.isDirectory()) return this.#tree(real, target, name);
    await this.#file(real, target, name);
  }

  /** Tells a link to nowhere outside from a name that simply is not there. */
  async #refuseDangling(source: string, name: string): Promise<void> {
    const link = await readlink(source).catch(() => undefined);
    if (link !== undefined && leaves(relative(this.#root, resolve(dirname(source), link)))) {
      throw outside(name, this.#filesDir, `it is a link to ${link}`);
    }
  }

  async #tree(source: string, target: string, name: string): Promise<void> {
    await mkdir(target, { recursive: true });
    const entries = await readdir(source, { withFileTypes: true });
    for (const entry of entries.sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const from = join(source, entry.name);
      const to = join(target, entry.name);
      const shown = join(name, entry.name);
      if (entry.isDirectory()) await this.#tree(from, to, shown);
      else if (entry.isSymbolicLink()) await this.#link(from, to, shown);
      else await this.#file(from, to, shown);
    }
  }

  /** Keeps a link of a tree as a link, as Butane does, when its target stays inside the files folder. */
  async #link(source: string, target: string, name: string): Promise<void> {
    const link = await readlink(source);
    const real = await realpath(source).catch(() => resolve(dirname(source), link));
    // A target with `..` after a name could climb through another link once it is copied.
    const climbs = normalize(link) !== link && normalize(link) !== link.replace(/\/+$/u, '');
    if (isAbsolute(link) || climbs || leaves(relative(this.#root, real))) {
      throw outside(name, this.#filesDir, `it is a link to ${link}`);
    }
    this.#count(0, name);
    await symlink(link, target).catch(ignoreExisting);
  }

  async #file(source: string, target: string, name: string): Promise<void> {
    // O_NONBLOCK: opening a pipe must not wait for its writer.
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    await using input = await open(source, flags).catch((cause: unknown) => {
      throw new ButaneError(`cannot read ${name} in ${this.#filesDir}`, 'FILE_UNFIT', undefined, cause);
    });
    const found = await input.stat();
    if (!found.isFile()) {
      throw new ButaneError(`${name} in ${this.#filesDir} is not a file`, 'FILE_UNFIT');
    }
    this.#count(found.size, name);
    await mkdir(dirname(target), { recursive: true });
    await using output = await open(target, 'w', found.mode & 0o111 ? 0o700 : 0o600);
    // Reads what stat promised and no more: a file that grows meanwhile cannot pass the limit.
    const bytes = new Uint8Array(found.size);
    for (let at = 0; at < bytes.length; ) {
      const { bytesRead } = await input.read(bytes, at, bytes.length - at, at);
      if (bytesRead === 0) throw new ButaneError(`${name} became shorter while it was read`, 'FILE_UNFIT');
      at += bytesRead;
    }
    await output.writeFile(bytes);
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

function leaves(path: string): boolean {
  return path === '..' || path.startsWith(`..${sep}`) || isAbsolute(path);
}

function outside(name: string, filesDir: string, reason: string): ButaneError {
  return new ButaneError(`${name} is outside the files folder ${filesDir}: ${reason}`, 'FILE_OUTSIDE');
}

function ignoreExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}
