/** Room kept between uses; more is given back so that one large text does not stay in memory. */
const KEPT_BYTES = 1024 * 1024;

const FIRST_BYTES = 4096;

/** Collects bytes in one growing block that is used again after `clear`. */
export class ByteBuffer {
  #block = Buffer.alloc(FIRST_BYTES);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(bytes: Uint8Array): void {
    const wanted = this.#length + bytes.length;
    if (wanted > this.#block.length) {
      const larger = Buffer.alloc(Math.max(wanted, 2 * this.#block.length));
      this.#block.copy(larger, 0, 0, this.#length);
      this.#block = larger;
    }
    this.#block.set(bytes, this.#length);
    this.#length = wanted;
  }

  /** The bytes so far: a view, valid until the next call that changes them. */
  view(): Buffer {
    return this.#block.subarray(0, this.#length);
  }

  /** Drops the first bytes and moves the rest to the front. */
  drop(count: number): void {
    this.#block.copyWithin(0, count, this.#length);
    this.#length -= count;
  }

  clear(): void {
    this.#length = 0;
    if (this.#block.length > KEPT_BYTES) this.#block = Buffer.alloc(FIRST_BYTES);
  }
}
