import type { Transform } from 'node:stream';
import { createGunzip, createZstdDecompress } from 'node:zlib';
import { openZstdFrameSplitter } from '../../../formats/zstd-frames.ts';

export type BlockSink = (block: Uint8Array) => Promise<void>;

/** Takes packed bytes in; whatever of them is unpacked has reached the sink when `write` or `end` is done. */
export interface Unpacker {
  write(chunk: Uint8Array): Promise<void>;
  end(): Promise<void>;
  destroy(): void;
}

const MAGIC_BYTES = 4;

/** Runs one decoder of Node's. The sink's error wins over what the decoder makes of it. */
function decoderInto(decoder: Transform, sink: BlockSink): Unpacker {
  const reading = (async () => {
    for await (const block of decoder) await sink(block);
  })();
  reading.catch(() => {});
  return {
    write: async (chunk) => {
      const written = new Promise<unknown>((resolve) => decoder.write(chunk, resolve));
      // A decoder that fails may never call back for the bytes it failed on.
      const error = await Promise.race([written, reading]);
      if (error == null) return;
      await reading;
      throw error;
    },
    end: async () => {
      decoder.end();
      await reading;
    },
    destroy: () => {
      decoder.destroy();
    },
  };
}

function zstdInto(sink: BlockSink): Unpacker {
  const splitter = openZstdFrameSplitter();
  let frame: Unpacker | undefined;
  return {
    write: async (chunk) => {
      for (const { bytes, last } of splitter.push(chunk)) {
        frame ??= decoderInto(createZstdDecompress(), sink);
        await frame.write(bytes);
        if (!last) continue;
        await frame.end();
        frame = undefined;
      }
    },
    end: async () => splitter.end(),
    destroy: () => frame?.destroy(),
  };
}

function unpackerFor(start: Uint8Array, sink: BlockSink): Unpacker {
  const magic = Buffer.from(start).toString('hex');
  if (magic.startsWith('1f8b')) return decoderInto(createGunzip(), sink);
  // A zstd:chunked layer may also begin with a skippable frame (RFC 8878 section 3.1.2).
  if (magic === '28b52ffd' || /^5.2a4d18$/.test(magic)) return zstdInto(sink);
  return { write: sink, end: async () => {}, destroy: () => {} };
}

/**
 * Opens an unpacker for gzip (any number of members), zstd (any number of frames) or bytes as they are, told
 * apart by their first bytes: builders have put one under the other's media type.
 */
export function openUnpacker(sink: BlockSink): Unpacker {
  let start: Uint8Array = new Uint8Array();
  let unpacker: Unpacker | undefined;
  return {
    write: async (chunk) => {
      if (unpacker !== undefined) return unpacker.write(chunk);
      start = Buffer.concat([start, chunk]);
      if (start.length < MAGIC_BYTES) return;
      unpacker = unpackerFor(start.subarray(0, MAGIC_BYTES), sink);
      await unpacker.write(start);
    },
    end: async () => {
      if (unpacker === undefined && start.length > 0) await sink(start);
      await unpacker?.end();
    },
    destroy: () => unpacker?.destroy(),
  };
}
