import { ByteBuffer } from './byte-buffer.ts';

const LINE_END = 0x0a;
const MARKER = Buffer.from('\n---');

export interface YamlDocumentsOptions {
  /** Most bytes of one document. */
  readonly maxDocumentBytes: number;
  /** Gets each document without its `---` line, as bytes valid only during the call. */
  readonly onDocument: (bytes: Uint8Array) => void;
  /** Makes the error to throw. */
  readonly fault: (what: string) => Error;
}

function endsMarker(byte: number | undefined): boolean {
  return byte === LINE_END || byte === 0x0d || byte === 0x20 || byte === 0x09;
}

/** Splits a YAML stream pushed in chunks at its `---` lines (YAML 1.2.2 §9.1.2), holding one document at a time. */
export class YamlDocuments {
  readonly #options: YamlDocumentsOptions;
  readonly #text = new ByteBuffer();
  #searched = 0;

  constructor(options: YamlDocumentsOptions) {
    this.#options = options;
    // So that a marker on the first line is found like any other.
    this.#text.append(Buffer.of(LINE_END));
  }

  push(chunk: Uint8Array): void {
    this.#text.append(chunk);
    const text = this.#text.view();
    let start = 0;
    let from = this.#searched;
    for (;;) {
      const marker = text.indexOf(MARKER, from);
      const after = marker + MARKER.length;
      if (marker < 0 || after === text.length) {
        from = marker < 0 ? Math.max(start, text.length - MARKER.length) : marker;
        break;
      }
      from = after;
      if (!endsMarker(text[after])) continue;
      this.#emit(text.subarray(start, marker + 1));
      start = after;
    }
    this.#text.drop(start);
    this.#searched = from - start;
    if (this.#text.length > this.#options.maxDocumentBytes) throw this.#tooLarge();
  }

  finish(): void {
    const text = this.#text.view();
    this.#emit(text.subarray(-MARKER.length).equals(MARKER) ? text.subarray(0, -MARKER.length) : text);
    this.#text.clear();
  }

  #emit(bytes: Uint8Array): void {
    if (bytes.length > this.#options.maxDocumentBytes) throw this.#tooLarge();
    this.#options.onDocument(bytes);
  }

  #tooLarge(): Error {
    return this.#options.fault(`is larger than ${this.#options.maxDocumentBytes} bytes`);
  }
}
