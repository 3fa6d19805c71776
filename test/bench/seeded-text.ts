import { createHash } from 'node:crypto';

/** Far longer than what a gzip stream looks back over (32 KiB), so that taking pieces of it twice packs no better. */
const POOL_LENGTH = 1024 * 1024;

let pool: { readonly prose: string; readonly noise: string } | undefined;

/** Made-up text that is the same for the same seed on every machine. */
export class SeededText {
  #state: number;

  constructor(seed: string) {
    this.#state = createHash('sha256').update(seed).digest().readUInt32LE(0);
  }

  /** A whole number from 0 up to, and without, `limit` (mulberry32). */
  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  /** Words, with a line break now and then. */
  prose(length: number): string {
    return this.#piece(sharedPool().prose, length);
  }

  /** Base64 of noise, as icons are. */
  noise(length: number): string {
    return this.#piece(sharedPool().noise, length);
  }

  #piece(text: string, length: number): string {
    const from = this.below(text.length - length);
    return text.slice(from, from + length);
  }
}

function sharedPool(): NonNullable<typeof pool> {
  pool ??= { prose: madeProse(), noise: madeNoise() };
  return pool;
}

function madeProse(): string {
  const draw = new SeededText('prose');
  const words = Array.from({ length: 2000 }, (_, at) =>
    createHash('sha256')
      .update(`word ${at}`)
      .digest('hex')
      .replace(/[0-9]/g, '')
      .slice(0, 2 + (at % 9)),
  );
  let text = '';
  while (text.length < POOL_LENGTH)
    text += (words[draw.below(words.length)] ?? '') + (draw.below(14) === 0 ? '.\n' : ' ');
  return text;
}

function madeNoise(): string {
  const draw = new SeededText('noise');
  return Buffer.from(Array.from({ length: POOL_LENGTH }, () => draw.below(256))).toString('base64');
}
