import { readFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
// Not by name: Node 22.15 lacks one of the names, which is asked for inside the single executable only.
import sea from 'node:sea';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

/** Tells whether this is the single executable, which has inside what a package has as files. */
export const isExecutable: boolean = sea.isSea();

/** The package's root; this module is one folder below it both in `src/` and in `dist/`. */
const ROOT = new URL('../', import.meta.url);

/** The file of the single executable, when that is what runs. */
export const runningExecutable: string | undefined = isExecutable ? process.execPath : undefined;

/** Where a build leaves the single executable for an architecture, in Node's words (x64); undefined inside of one. */
export function builtExecutable(architecture: string): string | undefined {
  return isExecutable ? undefined : fileURLToPath(new URL(`dist/edgefab-linux-${architecture}`, ROOT));
}

/** Reads a file that comes with edgefab, named by its path in the package. Rejects with Node's error. */
export async function readPackaged(path: string): Promise<Uint8Array> {
  return isExecutable ? new Uint8Array(sea.getAsset(path)) : await readFile(new URL(path, ROOT));
}

/** Reads a text that comes with edgefab, named by its path in the package. Throws Node's error. */
export function packagedText(path: string): string {
  return isExecutable ? sea.getAsset(path, 'utf8') : readFileSync(new URL(path, ROOT), 'utf8');
}

/** Lists the files of a folder that comes with edgefab, by their names in it. */
export async function listPackaged(folder: string): Promise<string[]> {
  if (!isExecutable) return await readdir(new URL(`${folder}/`, ROOT));
  const inside = sea.getAssetKeys().filter((key) => key.startsWith(`${folder}/`));
  return inside.map((key) => key.slice(folder.length + 1));
}

/** Where the single executable keeps the WebAssembly that packages have as a file of their own. */
export const BUTANE_WASM = 'wasm/butane.wasm';
export const LIBLZMA_WASM = 'wasm/liblzma.wasm';

/** The worker threads of this program, by the names of their modules: what a build must put into the executable. */
export type WorkerName = 'hash-worker' | 'stick-worker' | 'wasm-worker';

/** Where the single executable keeps the script of a worker thread. */
export function workerAsset(name: WorkerName): string {
  return `workers/${name}.cjs`;
}

/** Starts a worker thread whose module lies beside the module that asks (`import.meta.url`). */
export function startWorker(name: WorkerName, beside: string): Worker {
  if (isExecutable) return new Worker(packagedText(workerAsset(name)), { eval: true });
  const extension = beside.endsWith('.ts') ? 'ts' : 'js';
  return new Worker(new URL(`./${name}.${extension}`, beside));
}
