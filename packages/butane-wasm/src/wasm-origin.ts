import { access, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

/** Where `npm run build` puts the WebAssembly file, seen from `src` and from `dist` alike. */
export const DEFAULT_WASM_PATH = fileURLToPath(new URL('../dist/butane.wasm', import.meta.url));

/** Where the WebAssembly and the program of its worker thread come from. */
export interface WasmOrigin {
  /** What errors call it. */
  readonly name: string;
  isThere(): Promise<boolean>;
  /** Rejects when the bytes cannot be had. */
  load(): Promise<Uint8Array>;
  /** Starts a thread over the compiled module, with no environment. */
  startWorker(workerData: object): Worker;
}

/** The WebAssembly and its worker as a program has them inside, where there are no files of this package. */
export interface CarriedWasm {
  wasm(): Promise<Uint8Array>;
  /** `wasm-worker` bundled into one CommonJS script. */
  readonly workerSource: string;
}

/** Takes the WebAssembly from a file, the one of the build when left out, and the worker from this package. */
export function wasmFile(path: string = DEFAULT_WASM_PATH): WasmOrigin {
  return {
    name: path,
    isThere: () =>
      access(path).then(
        () => true,
        () => false,
      ),
    load: () => readFile(path),
    startWorker: (workerData) => {
      const extension = import.meta.url.endsWith('.ts') ? 'ts' : 'js';
      return new Worker(new URL(`./wasm-worker.${extension}`, import.meta.url), { workerData, env: {} });
    },
  };
}

/** Takes WebAssembly and worker from the program that runs. */
export function carriedWasm({ wasm, workerSource }: CarriedWasm): WasmOrigin {
  return {
    name: 'the WebAssembly inside this program',
    isThere: async () => true,
    load: wasm,
    startWorker: (workerData) => new Worker(workerSource, { eval: true, workerData, env: {} }),
  };
}
