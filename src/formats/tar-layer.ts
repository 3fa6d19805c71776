import { EdgefabError } from '../errors.ts';

/** What an entry of a layer tar is, as far as reading one needs to know. */
type TarKind = 'file' | 'folder' | 'link' | 'sparse' | 'other';

export interface TarEntry {
  /** As written in the archive: may be absolute, may hold `..`. */
  readonly path: string;
  readonly kind: TarKind;
  readonly sizeBytes: number;
  /** Only of links: where they point. */
  readonly target: string;
}

/** Takes an entry's bytes as they pass; `write` chunks are only valid during the call. */
export interface TarSink {
  write(chunk: Uint8Array): void;
  end(): void;
}

const BLOCK = 512;

/** Bytes of pax headers or GNU long names kept; a path is at most 4 KiB, the rest are attributes nobody reads here. */
const MAX_EXTENSION = 1024 * 1024;

/** The ustar header: [offset, length] (POSIX pax, "ustar Interchange Format"). */
const FIELD = {
  name: [0, 100],
  size: [124, 12],
  checksum: [148, 8],
  type: [156, 1],
  target: [157, 100],
  magic: [257, 6],
  prefix: [345, 155],
} as const;

type FieldName = keyof typeof FIELD;

const EXTENSIONS: Readonly<Record<string, 'pax' | 'global' | 'longName' | 'longTarget'>> = {
  x: 'pax',
  X: 'pax',
  g: 'global',
  L: 'longName',
  K: 'longTarget',
};

function kindOf(type: string): TarKind {
  switch (type) {
    case '0':
    case '\0':
    case '7':
      return 'file';
    case '5':
      return 'folder';
    case '1':
    case '2':
      return 'link';
    case 'S':
      return 'sparse';
    default:
      return 'other';
  }
}

function zeroEnded(bytes: Uint8Array): Buffer {
  const end = bytes.indexOf(0);
  return Buffer.from(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Reads pax records, `LENGTH KEY=VALUE\n`, or returns undefined when one does not fit. */
function paxRecords(bytes: Buffer): Map<string, string> | undefined {
  const records = new Map<string, string>();
  let at = 0;
  while (at < bytes.length) {
    const space = bytes.indexOf(0x20, at);
    const length = Number(bytes.toString('latin1', at, space));
    const end = at + length;
    if (space < 0 || !Number.isSafeInteger(length) || end <= space + 1 || end > bytes.length)
      return undefined;
    const record = bytes.toString('utf8', space + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals < 0) return undefined;
    records.set(record.slice(0, equals), record.slice(equals + 1));
    at = end;
  }
  return records;
}

/**
 * Reads a layer tar pushed in chunks, synchronously, holding at most one header or one extension of 1 MiB.
 * `visit` gets every entry and returns a sink for those whose bytes it wants. It may throw; so may its sink.
 * Throws TAR_INVALID naming `where`. POSIX ustar and pax, and GNU long names.
 */
export class TarLayerReader {
  readonly #where: string;
  readonly #visit: (entry: TarEntry) => TarSink | undefined;
  readonly #header = Buffer.alloc(BLOCK);
  #headerBytes = 0;
  #bodyBytes = 0;
  #paddingBytes = 0;
  #sink: TarSink | undefined;
  #extension: { kind: 'pax' | 'global' | 'longName' | 'longTarget'; chunks: Buffer[] } | undefined;
  #pax = new Map<string, string>();
  #longName: string | undefined;
  #longTarget: string | undefined;
  #position = 0;
  #ended = false;

  constructor(where: string, visit: (entry: TarEntry) => TarSink | undefined) {
    this.#where = where;
    this.#visit = visit;
  }

  push(chunk: Uint8Array): void {
    let at = 0;
    while (at < chunk.length && !this.#ended) {
      if (this.#bodyBytes > 0) {
        const part = chunk.subarray(at, at + this.#bodyBytes);
        at += part.length;
        this.#bodyBytes -= part.length;
        this.#extension?.chunks.push(Buffer.from(part));
        this.#sink?.write(part);
        if (this.#bodyBytes === 0) this.#endBody();
      } else if (this.#paddingBytes > 0) {
        const skipped = Math.min(this.#paddingBytes, chunk.length - at);
        at += skipped;
        this.#paddingBytes -= skipped;
      } else {
        const part = chunk.subarray(at, at + BLOCK - this.#headerBytes);
        this.#header.set(part, this.#headerBytes);
        this.#headerBytes += part.length;
        at += part.length;
        if (this.#headerBytes === BLOCK) this.#readHeader();
      }
    }
    this.#position += chunk.length;
  }

  /** Tells the reader that no more bytes come. A missing end-of-archive block is tolerated, half an entry is not. */
  finish(): void {
    if (!this.#ended && (this.#headerBytes > 0 || this.#bodyBytes > 0 || this.#extension !== undefined)) {
      throw this.#fault(`ends in the middle of an entry, after ${this.#position} bytes`);
    }
  }

  #fault(what: string): EdgefabError {
    return new EdgefabError(`${this.#where}: the tar ${what}`, {
      code: 'TAR_INVALID',
      place: { image: this.#where },
    });
  }

  #field(name: FieldName): Buffer {
    const [offset, length] = FIELD[name];
    return this.#header.subarray(offset, offset + length);
  }

  #size(): number {
    const field = this.#field('size');
    // GNU: the top bit set means a big-endian binary number.
    if (((field[0] ?? 0) & 0x80) !== 0) {
      const size = field.readUIntBE(6, 6);
      const high = (field[0] ?? 0) === 0x80 && field.subarray(1, 6).every((byte) => byte === 0);
      if (!high) throw this.#fault('has an entry larger than 256 TiB');
      return size;
    }
    const text = zeroEnded(field).toString('latin1').trim();
    if (!/^[0-7]*$/.test(text)) throw this.#fault(`has a header whose size "${text}" is not an octal number`);
    return text === '' ? 0 : Number.parseInt(text, 8);
  }

  #readHeader(): void {
    this.#headerBytes = 0;
    if (this.#header.every((byte) => byte === 0)) {
      this.#ended = true;
      return;
    }
    let sum = 8 * 0x20;
    for (const [at, byte] of this.#header.entries()) {
      if (at < FIELD.checksum[0] || at >= FIELD.checksum[0] + FIELD.checksum[1]) sum += byte;
    }
    const wanted = Number.parseInt(zeroEnded(this.#field('checksum')).toString('latin1').trim(), 8);
    if (wanted !== sum) throw this.#fault('has a header with a wrong checksum, or is not a tar at all');
    const type = this.#field('type').toString('latin1');
    const size = this.#size();
    const extension = EXTENSIONS[type];
    if (extension !== undefined) {
      if (size > MAX_EXTENSION)
        throw this.#fault(`has an extended header of ${size} bytes, more than ${MAX_EXTENSION}`);
      this.#extension = { kind: extension, chunks: [] };
      this.#startBody(size);
    } else {
      this.#startEntry(type, size);
    }
  }

  #startEntry(type: string, headerSize: number): void {
    const paxSize = this.#pax.get('size');
    const size = paxSize === undefined ? headerSize : Number(paxSize);
    if (!Number.isSafeInteger(size) || size < 0) throw this.#fault(`has an entry of size "${paxSize}"`);
    const prefix = this.#field('magic').toString('latin1').startsWith('ustar\0')
      ? zeroEnded(this.#field('prefix')).toString('utf8')
      : '';
    const name = zeroEnded(this.#field('name')).toString('utf8');
    const path =
      this.#pax.get('GNU.sparse.name') ??
      this.#pax.get('path') ??
      this.#longName ??
      (prefix === '' ? name : `${prefix}/${name}`);
    const sparse = [...this.#pax.keys()].some((key) => key.startsWith('GNU.sparse.'));
    // Before POSIX a folder was a file whose name ends in a slash.
    const kind = sparse ? 'sparse' : path.endsWith('/') && kindOf(type) === 'file' ? 'folder' : kindOf(type);
    const target =
      this.#pax.get('linkpath') ?? this.#longTarget ?? zeroEnded(this.#field('target')).toString('utf8');
    this.#pax = new Map();
    this.#longName = undefined;
    this.#longTarget = undefined;
    // Links and folders may state a size, but no bytes follow them (pax, "ustar", typeflag).
    const sizeBytes = kind === 'link' || kind === 'folder' ? 0 : size;
    const entry = { path, kind, sizeBytes, target };
    this.#sink = this.#visit(entry);
    this.#startBody(sizeBytes);
  }

  #startBody(size: number): void {
    this.#bodyBytes = size;
    this.#paddingBytes = (BLOCK - (size % BLOCK)) % BLOCK;
    if (size === 0) this.#endBody();
  }

  #endBody(): void {
    const sink = this.#sink;
    this.#sink = undefined;
    sink?.end();
    const extension = this.#extension;
    if (extension === undefined) return;
    this.#extension = undefined;
    const bytes = Buffer.concat(extension.chunks);
    if (extension.kind === 'longName') this.#longName = zeroEnded(bytes).toString('utf8');
    else if (extension.kind === 'longTarget') this.#longTarget = zeroEnded(bytes).toString('utf8');
    else if (extension.kind === 'pax') {
      const records = paxRecords(bytes);
      if (records === undefined)
        throw this.#fault('has an extended header that is not LENGTH KEY=VALUE lines');
      this.#pax = records;
    }
  }
}
