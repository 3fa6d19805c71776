import { catalogFault } from './catalog-fault.ts';

/** Some four times what the largest public catalogs hold; memory stays bounded whatever the bytes are. */
const MAX_FILES = 100_000;
const MAX_DOCUMENTS = 500_000;
const MAX_TEXTS = 5_000_000;
const MAX_TEXT_BYTES = 256 * 1024 ** 2;

/**
 * Counts what reading a catalog keeps, and gives one copy of equal texts: the same image is named by bundle after
 * bundle. Throws CATALOG_INVALID past its bounds.
 */
export class ReadBudget {
  readonly #where: string;
  readonly #texts = new Map<string, string>();
  #files = 0;
  #documents = 0;
  #textCount = 0;
  #textBytes = 0;

  constructor(where: string) {
    this.#where = where;
  }

  /** Counts a file or a whiteout in the catalog's folder. */
  file(): void {
    if (++this.#files > MAX_FILES) throw catalogFault(this.#where, `has more than ${MAX_FILES} files`);
  }

  document(): void {
    if (++this.#documents > MAX_DOCUMENTS)
      throw catalogFault(this.#where, `has more than ${MAX_DOCUMENTS} documents`);
  }

  text(text: string): string {
    if (++this.#textCount > MAX_TEXTS) throw catalogFault(this.#where, `has more than ${MAX_TEXTS} names`);
    const known = this.#texts.get(text);
    if (known !== undefined) return known;
    this.#textBytes += text.length;
    if (this.#textBytes > MAX_TEXT_BYTES)
      throw catalogFault(this.#where, `has names of more than ${MAX_TEXT_BYTES} bytes`);
    this.#texts.set(text, text);
    return text;
  }
}
