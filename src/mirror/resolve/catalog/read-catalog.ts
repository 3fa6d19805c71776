import { type IgnorePatterns, isIgnored, parseIgnoreFile } from '../../../formats/ignore-patterns.ts';
import { type TarEntry, TarLayerReader, type TarSink } from '../../../formats/tar-layer.ts';
import { buildCatalog, type ReadFile } from './build-catalog.ts';
import type { Catalog } from './catalog.ts';
import { catalogFault } from './catalog-fault.ts';
import { CatalogFile } from './catalog-file.ts';
import { catalogFolder } from './catalog-folder.ts';
import { LayerTree } from './layer-tree.ts';
import { ReadBudget } from './read-budget.ts';
import { unpackLayer } from './unpack-layer.ts';

/** A layer of the index image, lowest first. */
export interface CatalogLayer {
  readonly mediaType: string;
  open(): Promise<AsyncIterable<Uint8Array>>;
}

export interface CatalogImage {
  /** The image config, JSON as the registry has it. */
  readonly config: Uint8Array;
  readonly layers: readonly CatalogLayer[];
}

export interface ReadCatalogOptions {
  /** Most bytes all layers together may unpack to. Default 8 GiB. */
  readonly maxUnpackedBytes?: number;
  /** Largest catalog file. Default 1 GiB. */
  readonly maxFileBytes?: number;
  /** Most bytes of one document that are held, embedded manifests not counted. Default 64 MiB. */
  readonly maxDocumentBytes?: number;
  /** Told of each file as it was read; a later layer or an ignore file may still take it back. */
  readonly onFile?: (file: ReadFile) => void;
  readonly signal?: AbortSignal;
}

const GIB = 1024 ** 3;
const IGNORE_FILE = '.indexignore';
const MAX_IGNORE_BYTES = 64 * 1024;
const WHITEOUT = '.wh.';
const OPAQUE = '.wh..wh..opq';

/** The whole of a small file. */
class IgnoreFile implements TarSink {
  readonly #chunks: Buffer[] = [];
  write(chunk: Uint8Array): void {
    this.#chunks.push(Buffer.from(chunk));
  }
  end(): void {}
  patterns(folder: string): IgnorePatterns {
    return parseIgnoreFile(Buffer.concat(this.#chunks).toString('utf8'), folder);
  }
}

type KeptFile = CatalogFile | IgnoreFile;

/** Splits an entry's name into parts; names in a layer are relative to its root, absolute or not. */
function pathParts(path: string): string[] {
  return path.split('/').filter((part) => part !== '' && part !== '.');
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

/** Sorts what a layer's tar holds into the tree, and refuses what no honest catalog holds. */
class LayerVisitor {
  readonly #folder: readonly string[];
  readonly #tree: LayerTree<KeptFile>;
  readonly #where: string;
  readonly #maxFileBytes: number;
  readonly #budget: ReadBudget;
  readonly #newFile: (path: string) => CatalogFile;

  constructor(
    folder: readonly string[],
    tree: LayerTree<KeptFile>,
    where: string,
    maxFileBytes: number,
    budget: ReadBudget,
    newFile: (path: string) => CatalogFile,
  ) {
    this.#folder = folder;
    this.#tree = tree;
    this.#where = where;
    this.#maxFileBytes = maxFileBytes;
    this.#budget = budget;
    this.#newFile = newFile;
  }

  visit(entry: TarEntry): TarSink | undefined {
    const parts = pathParts(entry.path);
    if (parts.includes('..')) throw this.#refuse(entry, 'leads out of its folder with ".."');
    const name = parts.at(-1) ?? '';
    if (name.startsWith(WHITEOUT)) {
      this.#whiteout(parts.slice(0, -1), name);
      return undefined;
    }
    const shared = Math.min(parts.length, this.#folder.length);
    if (this.#folder.slice(0, shared).some((part, at) => parts[at] !== part)) return undefined;
    if (entry.kind === 'folder' || entry.kind === 'other') return undefined;
    if (entry.kind === 'link') throw this.#refuse(entry, `is a link to "${entry.target}", want a plain file`);
    if (parts.length <= this.#folder.length)
      throw this.#refuse(entry, 'is a file, want the folder of the catalog');
    if (entry.kind === 'sparse') throw this.#refuse(entry, 'is a sparse file, want a plain one');
    const limit = name === IGNORE_FILE ? MAX_IGNORE_BYTES : this.#maxFileBytes;
    if (entry.sizeBytes > limit)
      throw this.#refuse(entry, `has ${entry.sizeBytes} bytes, more than ${limit}`);
    this.#budget.file();
    const file = name === IGNORE_FILE ? new IgnoreFile() : this.#newFile(parts.join('/'));
    this.#tree.add(parts.slice(this.#folder.length).join('/'), file);
    return file;
  }

  /** Brings a whiteout anywhere on the way to the catalog's folder, or in it, down to paths in the folder. */
  #whiteout(above: readonly string[], name: string): void {
    const opaque = name === OPAQUE;
    const target = opaque ? above : [...above, name.slice(WHITEOUT.length)];
    const shared = Math.min(target.length, this.#folder.length);
    if (this.#folder.slice(0, shared).some((part, at) => target[at] !== part)) return;
    this.#budget.file();
    const within = target.slice(this.#folder.length).join('/');
    if (opaque || within === '') this.#tree.empty(within);
    else this.#tree.remove(within);
  }

  #refuse(entry: TarEntry, what: string): Error {
    return catalogFault(this.#where, `"${entry.path.slice(0, 300)}" in a layer ${what}`, {
      file: entry.path.slice(0, 300),
    });
  }
}

/**
 * Reads the file-based catalog out of an index image: its layers are streamed once, in order, whiteouts applied,
 * and only the essentials of the documents below the labelled folder are held. Throws CATALOG_INVALID (label
 * missing, malformed file, document or layer) and TAR_INVALID; what a layer's source throws passes.
 * OCI image-spec layer.md; operator-framework "File-based catalogs".
 */
export async function readCatalog(
  image: CatalogImage,
  where: string,
  options: ReadCatalogOptions = {},
): Promise<Catalog> {
  const {
    maxUnpackedBytes = 8 * GIB,
    maxFileBytes = GIB,
    maxDocumentBytes = 64 * 1024 ** 2,
    onFile,
    signal,
  } = options;
  const folder = catalogFolder(image.config, where);
  const tree = new LayerTree<KeptFile>();
  const budget = new ReadBudget(where);
  const newFile = (path: string): CatalogFile =>
    new CatalogFile({
      where,
      path,
      maxDocumentBytes,
      budget,
      ...(onFile === undefined ? {} : { onEnd: (documents) => onFile({ path, documents }) }),
    });
  const visitor = new LayerVisitor(folder, tree, where, maxFileBytes, budget, newFile);
  let unpackedBytes = 0;
  for (const layer of image.layers) {
    signal?.throwIfAborted();
    const reader = new TarLayerReader(where, (entry) => visitor.visit(entry));
    await unpackLayer(await layer.open(), where, (chunk) => {
      signal?.throwIfAborted();
      unpackedBytes += chunk.length;
      if (unpackedBytes > maxUnpackedBytes)
        throw catalogFault(where, `its layers unpack to more than ${maxUnpackedBytes} bytes, the limit`);
      reader.push(chunk);
    });
    reader.finish();
    tree.endLayer();
  }
  const files = tree.files();
  const patterns = files
    .filter(([, file]) => file instanceof IgnoreFile)
    .sort(([a], [b]) => a.split('/').length - b.split('/').length)
    .flatMap(([path, file]) => (file instanceof IgnoreFile ? file.patterns(folderOf(path)) : []));
  const kept = files.flatMap(([path, file]) =>
    file instanceof CatalogFile && !isIgnored(path, patterns)
      ? [{ path: [...folder, path].join('/'), documents: file.documents() }]
      : [],
  );
  return buildCatalog(kept, where, `/${folder.join('/')}`);
}
