import { ByteBuffer } from './byte-buffer.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** A call into native search costs more than looking at this many bytes. */
const SHORT_STRING = 24;

/** Deeper nesting is never data; it would cost memory out of proportion to its bytes. */
const MAX_DEPTH = 500;

function isSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

export interface JsonDocumentsOptions {
  /** Most bytes of one document that are held, longer strings not counted. */
  readonly maxDocumentBytes: number;
  /** Strings of more bytes than this are handed on empty, and never held. */
  readonly maxStringBytes: number;
  /** Gets each object, as bytes valid only during the call. */
  readonly onDocument: (bytes: Uint8Array) => void;
  /** Makes the error to throw. */
  readonly fault: (what: string) => Error;
}

/**
 * Splits concatenated JSON objects (RFC 8259 texts one after another) pushed in chunks into documents without
 * holding more than one, and empties long strings on the way: what stays is cheap to parse.
 * It checks only the brackets; whoever parses a document checks the rest.
 */
export class JsonDocuments {
  readonly #options: JsonDocumentsOptions;
  readonly #document = new ByteBuffer();
  /** The part of an open string that came with earlier chunks, as long as it may still turn out short. */
  readonly #openString = new ByteBuffer();
  #openStringBytes = 0;
  #inString = false;
  #backslashes = 0;
  #depth = 0;

  constructor(options: JsonDocumentsOptions) {
    this.#options = options;
  }

  push(bytes: Uint8Array): void {
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    let keepFrom = 0;
    let at = 0;
    if (this.#inString) {
      const end = this.#stringEnd(chunk, 0);
      if (end < 0) {
        this.#carryString(chunk, 0);
        return;
      }
      const short = this.#openStringBytes + end <= this.#options.maxStringBytes;
      if (short) this.#keep(this.#openString.view());
      else keepFrom = end;
      this.#closeString();
      at = end + 1;
    }
    while (at < chunk.length) {
      const byte = chunk[at];
      if (byte === QUOTE && this.#depth > 0) {
        const start = at + 1;
        const end = this.#stringEnd(chunk, start);
        if (end < 0) {
          this.#keep(chunk.subarray(keepFrom, start));
          this.#inString = true;
          this.#carryString(chunk, start);
          return;
        }
        if (end - start > this.#options.maxStringBytes) {
          this.#keep(chunk.subarray(keepFrom, start));
          keepFrom = end;
        }
        at = end;
      } else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
        if (this.#depth === 0) {
          if (byte === OPEN_BRACKET) throw this.#options.fault('starts with "[", want an object');
          keepFrom = at;
        }
        this.#depth++;
        if (this.#depth > MAX_DEPTH) throw this.#options.fault(`nests deeper than ${MAX_DEPTH} levels`);
      } else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
        if (this.#depth === 0) throw this.#options.fault('has a closing bracket too many');
        this.#depth--;
        if (this.#depth === 0) {
          this.#keep(chunk.subarray(keepFrom, at + 1));
          this.#options.onDocument(this.#document.view());
          this.#document.clear();
        }
      } else if (this.#depth === 0 && byte !== undefined && !isSpace(byte)) {
        throw this.#options.fault('has text between its JSON objects');
      }
      at++;
    }
    if (this.#depth > 0) this.#keep(chunk.subarray(keepFrom));
  }

  finish(): void {
    if (this.#depth > 0) throw this.#options.fault('ends in the middle of a JSON object');
  }

  #keep(bytes: Uint8Array): void {
    if (this.#document.length + bytes.length > this.#options.maxDocumentBytes)
      throw this.#options.fault(`is larger than ${this.#options.maxDocumentBytes} bytes`);
    this.#document.append(bytes);
  }

  /** Holds what a chunk has of a string that goes on in the next one. */
  #carryString(chunk: Buffer, start: number): void {
    this.#openStringBytes += chunk.length - start;
    if (this.#openStringBytes <= this.#options.maxStringBytes) this.#openString.append(chunk.subarray(start));
    let run = 0;
    while (run < chunk.length - start && chunk[chunk.length - 1 - run] === BACKSLASH) run++;
    this.#backslashes = run === chunk.length - start ? this.#backslashes + run : run;
  }

  #closeString(): void {
    this.#inString = false;
    this.#openString.clear();
    this.#openStringBytes = 0;
    this.#backslashes = 0;
  }

  /** Finds the quote that closes the string whose bytes start (or go on) at `start`, or -1. */
  #stringEnd(chunk: Buffer, start: number): number {
    let from = start;
    for (;;) {
      let quote = from;
      const near = Math.min(chunk.length, from + SHORT_STRING);
      while (quote < near && chunk[quote] !== QUOTE) quote++;
      if (quote === chunk.length) return -1;
      if (quote === near) quote = chunk.indexOf(QUOTE, quote);
      if (quote < 0) return -1;
      let run = 0;
      while (quote - 1 - run >= start && chunk[quote - 1 - run] === BACKSLASH) run++;
      if (run === quote - start) run += this.#backslashes;
      if (run % 2 === 0) return quote;
      from = quote + 1;
    }
  }
}
