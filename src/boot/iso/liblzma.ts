import { EdgefabError } from '../../errors.ts';

/** The two calls needed of the optional package node-liblzma. */
export interface Liblzma {
  /** Throws TOOL_FAILED, as when there is not enough memory. */
  compress(bytes: Uint8Array): Promise<Uint8Array>;
  /** Throws whatever liblzma says is wrong with the bytes. */
  decompress(bytes: Uint8Array): Promise<Uint8Array>;
}

// The kernel's xz reader checks CRC32 only (kernel documentation, staging/xz.rst).
const CHECK_CRC32 = 1;
// Preset 9 differs from 6 in its dictionary alone (64 MiB against 8): no gain on an archive this small, and more
// memory than WebAssembly may take.
const PRESET = 6;
const MEMORY_LIMIT_BYTES = 128 * 1024 * 1024;

/** The part of `node-liblzma/wasm` that is used; written down here because the package may not be installed. */
interface Wasm {
  initModule(): Promise<unknown>;
  resetModule(): void;
  xzAsync(bytes: Uint8Array, options: { preset: number; check: number }): Promise<Uint8Array>;
  unxzAsync(bytes: Uint8Array, options: { memlimit: number }): Promise<Uint8Array>;
}

const PACKAGE: string = 'node-liblzma/wasm';

async function importWasm(): Promise<Wasm> {
  try {
    const wasm = (await import(PACKAGE)) as Wasm;
    await wasm.initModule();
    return wasm;
  } catch (cause) {
    throw new EdgefabError('xz is not at hand: the optional package node-liblzma cannot be loaded', {
      code: 'TOOL_MISSING',
      suggestions: ['Install edgefab again without --omit=optional; if that fails, with --ignore-scripts'],
      cause,
    });
  }
}

/**
 * Loads liblzma as WebAssembly, which gives the same bytes on every machine; the package's native part does not
 * load on systems with an older libstdc++. Throws TOOL_MISSING when the package was not installed.
 */
export async function loadLiblzma(): Promise<Liblzma> {
  const { resetModule, unxzAsync, xzAsync } = await importWasm();
  return {
    compress: async (bytes) => {
      try {
        return await xzAsync(bytes, { preset: PRESET, check: CHECK_CRC32 });
      } catch (cause) {
        resetModule();
        throw new EdgefabError(`xz cannot compress ${bytes.length} bytes`, { code: 'TOOL_FAILED', cause });
      }
    },
    decompress: async (bytes) => {
      try {
        return await unxzAsync(bytes, { memlimit: MEMORY_LIMIT_BYTES });
      } catch (error) {
        // A failed call leaves its memory taken, and once freed twice; the next call gets a new instance.
        resetModule();
        throw error;
      }
    },
  };
}
