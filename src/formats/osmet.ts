/** What an osmet file, of which a CoreOS live ISO installs, says of the disk image it stands for. */
export interface OsmetSummary {
  /** Of the disks it is for: 512 or 4096. */
  readonly sectorBytes: number;
  readonly description: string;
  readonly architecture: string;
  /** Of the image as it is written to the disk. */
  readonly sizeBytes: number;
}

/** coreos-installer, src/osmet/file.rs: what the file begins with, and the only version there is. */
const MAGIC = 'OSMET\0\0\0';
const VERSION = 1;

const DIGEST_BYTES = 32;
const MAX_TEXT_BYTES = 4096;
const MAX_PARTITIONS = 128;

/** Reads what bincode writes with its variable-length integers; once it has run out, all that follows is `undefined`. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  take(length: number): Buffer | undefined {
    this.#at += length;
    if (this.#at > this.#bytes.length) return undefined;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  /** Below 251 the number itself; 251, 252 and 253 announce 2, 4 and 8 bytes, little-endian. */
  number(): number | undefined {
    const first = this.take(1)?.[0];
    if (first === undefined || first < 251) return first;
    if (first === 251) return this.take(2)?.readUInt16LE();
    if (first === 252) return this.take(4)?.readUInt32LE();
    const wide = first === 253 ? this.take(8)?.readBigUInt64LE() : undefined;
    if (wide !== undefined && wide <= Number.MAX_SAFE_INTEGER) return Number(wide);
    return this.#stop();
  }

  text(): string | undefined {
    const length = this.number();
    if (length === undefined || length > MAX_TEXT_BYTES) return this.#stop();
    return this.take(length)?.toString('utf8');
  }

  #stop(): undefined {
    this.#at = Number.POSITIVE_INFINITY;
    return undefined;
  }
}

/**
 * Decodes the start of an osmet file: header and block map, in front of the packed image. Undefined when the bytes are
 * none, are of another version, or end within the map.
 */
export function decodeOsmet(bytes: Uint8Array): OsmetSummary | undefined {
  const cursor = new Cursor(bytes);
  if (cursor.take(MAGIC.length)?.toString('latin1') !== MAGIC || cursor.number() !== VERSION)
    return undefined;
  // The version of the program that made it.
  cursor.text();
  const sectorBytes = cursor.number();
  const description = cursor.text();
  const architecture = cursor.text();
  const partitions = cursor.number();
  if (partitions === undefined || partitions > MAX_PARTITIONS) return undefined;
  for (let partition = 0; partition < partitions; partition += 1) {
    if (!skipPartition(cursor)) return undefined;
  }
  cursor.take(DIGEST_BYTES);
  const sizeBytes = cursor.number();
  if (sectorBytes === undefined || description === undefined || architecture === undefined) return undefined;
  return sizeBytes === undefined ? undefined : { sectorBytes, description, architecture, sizeBytes };
}

/** A partition: where it starts and ends, and for each extent three numbers and the digest of the object it holds. */
function skipPartition(cursor: Cursor): boolean {
  cursor.number();
  cursor.number();
  const mappings = cursor.number();
  if (mappings === undefined) return false;
  for (let mapping = 0; mapping < mappings; mapping += 1) {
    cursor.number();
    cursor.number();
    cursor.number();
    // Every mapping takes bytes, so that a hostile count ends with them.
    if (cursor.take(DIGEST_BYTES) === undefined) return false;
  }
  return true;
}
