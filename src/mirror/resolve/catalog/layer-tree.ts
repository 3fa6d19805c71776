/** The files of an image below one folder, layers laid over each other as the OCI image-spec says (layer.md). */
export class LayerTree<F> {
  #files = new Map<string, F>();
  #added = new Map<string, F>();
  #removed = new Set<string>();
  #emptied = new Set<string>();

  /** Adds a file of the current layer; of two of the same name the later one counts. */
  add(path: string, file: F): void {
    this.#added.set(path, file);
  }

  /** `.wh.NAME`: what lower layers have at the path, file or folder, goes. */
  remove(path: string): void {
    this.#removed.add(path);
  }

  /** `.wh..wh..opq`: all that lower layers have in the folder goes; '' is the root. */
  empty(folder: string): void {
    this.#emptied.add(folder);
  }

  /** Lays the current layer over those before it. Whiteouts hide lower layers only, wherever they stand in the tar. */
  endLayer(): void {
    if (this.#removed.size + this.#emptied.size > 0) {
      for (const path of this.#files.keys()) if (this.#isHidden(path)) this.#files.delete(path);
    }
    const folders = new Set<string>();
    for (const path of this.#added.keys()) {
      for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1))
        folders.add(path.slice(0, at));
    }
    for (const path of this.#files.keys()) {
      // A folder takes the place of a file, a file that of a folder and all in it.
      if (folders.has(path) || this.#hasAbove(path, (above) => this.#added.has(above)))
        this.#files.delete(path);
    }
    for (const [path, file] of this.#added) this.#files.set(path, file);
    this.#added = new Map();
    this.#removed = new Set();
    this.#emptied = new Set();
  }

  /** The files that are left, sorted by path. */
  files(): [path: string, file: F][] {
    return [...this.#files].sort(([a], [b]) => (a < b ? -1 : 1));
  }

  #isHidden(path: string): boolean {
    if (this.#removed.has(path) || this.#emptied.has('')) return true;
    return this.#hasAbove(path, (above) => this.#removed.has(above) || this.#emptied.has(above));
  }

  #hasAbove(path: string, test: (above: string) => boolean): boolean {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (test(path.slice(0, at))) return true;
    }
    return false;
  }
}
