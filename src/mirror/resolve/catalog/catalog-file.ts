import { parseDocument } from 'yaml';
import { EdgefabError } from '../../../errors.ts';
import { JsonDocuments } from '../../../formats/json-documents.ts';
import { withoutLongRuns } from '../../../formats/long-runs.ts';
import type { TarSink } from '../../../formats/tar-layer.ts';
import { YamlDocuments } from '../../../formats/yaml-documents.ts';
import { type CatalogDocument, readCatalogDocument } from './catalog-document.ts';
import { catalogFault } from './catalog-fault.ts';
import type { ReadBudget } from './read-budget.ts';

/** Longer texts are embedded manifests and icons, never a name, a version or an image. */
const MAX_STRING_BYTES = 4096;

/** What `yaml` builds from a text costs some fifty times its size. */
const MAX_YAML_TEXT = 8 * 1024 * 1024;

export interface CatalogFileOptions {
  /** The image, and the file in it, for messages. */
  readonly where: string;
  readonly path: string;
  readonly maxDocumentBytes: number;
  readonly budget: ReadBudget;
  /** Told when the file ended without a fault. */
  readonly onEnd?: (documents: readonly CatalogDocument[]) => void;
}

interface DocumentSplitter {
  push(chunk: Uint8Array): void;
  finish(): void;
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/**
 * Takes one catalog file as it streams by and keeps its essentials. A fault is kept, not thrown, because a later
 * layer may replace the file and an ignore file may leave it out; `documents` throws it.
 */
export class CatalogFile implements TarSink {
  readonly #options: CatalogFileOptions;
  readonly #documents: CatalogDocument[] = [];
  #splitter: DocumentSplitter | undefined;
  #fault: EdgefabError | undefined;
  #count = 0;

  constructor(options: CatalogFileOptions) {
    this.#options = options;
  }

  write(chunk: Uint8Array): void {
    if (this.#fault !== undefined) return;
    this.#keepFault(() => {
      let from = 0;
      if (this.#splitter === undefined) {
        while (from < chunk.length && isBlank(chunk[from] ?? 0)) from++;
        if (from === chunk.length) return;
        // Like the catalog's own tools: what starts with a brace is JSON, whatever the file is called.
        this.#splitter = chunk[from] === 0x7b ? this.#json() : this.#yaml();
      }
      this.#splitter.push(chunk.subarray(from));
    });
  }

  end(): void {
    if (this.#fault === undefined) this.#keepFault(() => this.#splitter?.finish());
    this.#splitter = undefined;
    if (this.#fault === undefined) this.#options.onEnd?.(this.#documents);
  }

  /** What the file holds. Throws CATALOG_INVALID naming file, document number and field. */
  documents(): readonly CatalogDocument[] {
    if (this.#fault !== undefined) throw this.#fault;
    return this.#documents;
  }

  #keepFault(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#fault = error instanceof EdgefabError ? error : this.#fail('cannot be read', undefined, error);
      this.#splitter = undefined;
      this.#documents.length = 0;
    }
  }

  #fail(what: string, field?: string, cause?: unknown): EdgefabError {
    const { where, path } = this.#options;
    const inField = field === undefined ? '' : `, field ${field}`;
    const place = { file: path, ...(field === undefined ? {} : { field }) };
    return catalogFault(where, `file ${path}, document ${this.#count + 1}${inField}: ${what}`, place, cause);
  }

  #take(value: unknown): void {
    const fault = (field: string, what: string): EdgefabError => this.#fail(what, field);
    const document = readCatalogDocument(value, fault, (text) => this.#options.budget.text(text));
    if (document !== undefined) this.#documents.push(document);
    this.#count++;
  }

  #decode(bytes: Uint8Array): string {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch (cause) {
      throw this.#fail('is not UTF-8 text', undefined, cause);
    }
  }

  #json(): DocumentSplitter {
    return new JsonDocuments({
      maxDocumentBytes: this.#options.maxDocumentBytes,
      maxStringBytes: MAX_STRING_BYTES,
      fault: (what) => this.#fail(what),
      onDocument: (bytes) => {
        this.#options.budget.document();
        let value: unknown;
        try {
          value = JSON.parse(this.#decode(bytes));
        } catch (cause) {
          if (cause instanceof EdgefabError) throw cause;
          throw this.#fail('is not JSON', undefined, cause);
        }
        this.#take(value);
      },
    });
  }

  #yaml(): DocumentSplitter {
    return new YamlDocuments({
      maxDocumentBytes: this.#options.maxDocumentBytes,
      fault: (what) => this.#fail(what),
      onDocument: (bytes) => {
        this.#options.budget.document();
        // A long base64 run lies within one scalar whatever its style, so a shorter run leaves the structure as it is.
        const text = this.#decode(withoutLongRuns(bytes, MAX_STRING_BYTES));
        if (text.trim() === '') return;
        if (text.length > MAX_YAML_TEXT)
          throw this.#fail(`is larger than ${MAX_YAML_TEXT} characters of YAML`);
        const parsed = parseDocument(text, { logLevel: 'error' });
        const [problem] = parsed.errors;
        if (problem !== undefined) throw this.#fail('is not YAML', undefined, problem);
        const value: unknown = parsed.toJS({ maxAliasCount: 100 });
        if (value !== null && value !== undefined) this.#take(value);
      },
    });
  }
}
