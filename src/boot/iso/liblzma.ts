import { EdgefabError } from '../../errors.ts';
import { isExecutable, LIBLZMA_WASM, readPackaged } from '../../packaged.ts';

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

type Wasm = typeof import('node-liblzma/wasm');

/** Makes an instance from what the single executable has inside. */
async function carriedModule(): Promise<unknown> {
  const { default: createLzma } = await import('node-liblzma/wasm/liblzma.js');
  return await createLzma({ wasmBinary: await readPackaged(LIBLZMA_WASM) });
}

const open = (wasm: Wasm) => wasm.initModule(isExecutable ? carriedModule : undefined);

async function importWasm(): Promise<Wasm> {
  try {
    const wasm = await import('node-liblzma/wasm');
    await open(wasm);
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
  const wasm = await importWasm();
  return {
    compress: async (bytes) => {
      try {
        await open(wasm);
        return await wasm.xzAsync(bytes, { preset: PRESET, check: CHECK_CRC32 });
      } catch (cause) {
        wasm.resetModule();
        throw new EdgefabError(`xz cannot compress ${bytes.length} bytes`, { code: 'TOOL_FAILED', cause });
      }
    },
    decompress: async (bytes) => {
      try {
        await open(wasm);
        return await wasm.unxzAsync(bytes, { memlimit: MEMORY_LIMIT_BYTES });
      } catch (error) {
        // A failed call leaves its memory taken, and once freed twice; the next call gets a new instance.
        wasm.resetModule();
        throw error;
      }
    },
  };
}
