import { EdgefabError } from '../errors.ts';

/** Bytes of one zstd frame, in order; `last` ends the frame. */
export interface FramePiece {
  readonly bytes: Uint8Array;
  readonly last: boolean;
}

export interface ZstdFrameSplitter {
  /** Takes the next bytes and gives what they hold of frames. Throws ZSTD_INVALID. */
  push(chunk: Uint8Array): FramePiece[];
  /** Throws ZSTD_INVALID when the data ended inside a frame. */
  end(): void;
}

// RFC 8878 section 3.1: magic, frame header descriptor, blocks with 3-byte headers, optional checksum.
const FRAME_MAGIC = 0xfd2fb528;
const SKIPPABLE_MAGIC = 0x184d2a5;
const MAGIC_BYTES = 4;
const SKIPPABLE_SIZE_BYTES = 4;
const BLOCK_HEADER_BYTES = 3;
const CHECKSUM_BYTES = 4;
const DICTIONARY_ID_BYTES = [0, 1, 2, 4];
const CONTENT_SIZE_BYTES = [0, 2, 4, 8];
const BLOCK_RLE = 1;
const BLOCK_RESERVED = 3;

type Part =
  | 'magic'
  | 'skippable-size'
  | 'skippable'
  | 'descriptor'
  | 'header'
  | 'block-header'
  | 'block'
  | 'checksum';

type Next = readonly [part: Part, bytes: number];

function invalid(what: string): EdgefabError {
  return new EdgefabError(`zstd data: ${what}`, { code: 'ZSTD_INVALID' });
}

/** How long the frame header is after its descriptor (section 3.1.1.1). */
function headerBytes(descriptor: number): number {
  const singleSegment = (descriptor & 0x20) !== 0;
  const contentSize = CONTENT_SIZE_BYTES[descriptor >> 6] ?? 0;
  const oneByte = contentSize === 0 && singleSegment ? 1 : 0;
  return (singleSegment ? 0 : 1) + (DICTIONARY_ID_BYTES[descriptor & 3] ?? 0) + contentSize + oneByte;
}

/**
 * Opens a splitter that finds the ends of zstd frames without unpacking them and leaves skippable frames out.
 * Node's decoder reads one frame only; a zstd:chunked layer has one for each file.
 */
export function openZstdFrameSplitter(): ZstdFrameSplitter {
  let part: Part = 'magic';
  let missing = MAGIC_BYTES;
  let field: number[] = [];
  let hasChecksum = false;
  let isLastBlock = false;

  const afterBlock = (): Next => {
    if (!isLastBlock) return ['block-header', BLOCK_HEADER_BYTES];
    return hasChecksum ? ['checksum', CHECKSUM_BYTES] : ['magic', MAGIC_BYTES];
  };

  /** What follows the part that is complete. */
  function following(): Next {
    const value = field.reduceRight((sum, byte) => sum * 256 + byte, 0);
    switch (part) {
      case 'magic':
        if (value === FRAME_MAGIC) return ['descriptor', 1];
        if (Math.floor(value / 16) === SKIPPABLE_MAGIC) return ['skippable-size', SKIPPABLE_SIZE_BYTES];
        throw invalid(`a frame starts with 0x${value.toString(16)}, want 0x${FRAME_MAGIC.toString(16)}`);
      case 'skippable-size':
        return value === 0 ? ['magic', MAGIC_BYTES] : ['skippable', value];
      case 'descriptor': {
        hasChecksum = (value & 4) !== 0;
        const rest = headerBytes(value);
        return rest === 0 ? ['block-header', BLOCK_HEADER_BYTES] : ['header', rest];
      }
      case 'block-header': {
        isLastBlock = (value & 1) === 1;
        const type = (value >> 1) & 3;
        if (type === BLOCK_RESERVED) throw invalid('a block is of the reserved type');
        const size = type === BLOCK_RLE ? 1 : value >> 3;
        return size === 0 ? afterBlock() : ['block', size];
      }
      case 'block':
        return afterBlock();
      case 'header':
        return ['block-header', BLOCK_HEADER_BYTES];
      case 'skippable':
      case 'checksum':
        return ['magic', MAGIC_BYTES];
      default:
        return part satisfies never;
    }
  }

  return {
    push: (chunk) => {
      const pieces: FramePiece[] = [];
      let held: Uint8Array[] = [];
      for (let at = 0; at < chunk.length; ) {
        const before = part;
        const bytes = chunk.subarray(at, at + missing);
        at += bytes.length;
        missing -= bytes.length;
        if (before !== 'block' && before !== 'skippable') field.push(...bytes);
        // A magic is held back until it is whole: only then is it known to be a frame's.
        if (before !== 'magic' && !before.startsWith('skippable')) held.push(bytes);
        if (missing > 0) continue;
        if (before === 'magic') held.push(Uint8Array.from(field));
        [part, missing] = following();
        field = [];
        if (before === 'magic' && part !== 'descriptor') held.pop();
        if (part !== 'magic' || before.startsWith('skippable')) continue;
        pieces.push({ bytes: Buffer.concat(held), last: true });
        held = [];
      }
      if (held.length > 0) pieces.push({ bytes: Buffer.concat(held), last: false });
      return pieces;
    },
    end: () => {
      if (part !== 'magic' || field.length > 0) throw invalid('it ends inside a frame');
    },
  };
}
