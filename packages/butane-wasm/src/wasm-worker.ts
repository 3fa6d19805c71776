import { parentPort, workerData } from 'node:worker_threads';
import type { LocalFiles } from './local-files.ts';
import { type VirtualFolder, virtualFolder } from './virtual-folder.ts';
import { wasiImports } from './wasi.ts';

/** What the worker is asked: the parts of one request, in the order the wasm wants them, and its files. */
export interface WasmRequest {
  readonly operation: 'translate' | 'validate' | 'merge';
  readonly parts: readonly string[];
  /** Local files, and the absolute path the wasm sees them at; without them it sees none. */
  readonly files?: { readonly mount: string; readonly files: LocalFiles };
}

/** What the worker answers: the wasm's JSON and the memory the instance has, or why the instance is gone. */
export type WasmReply = { readonly json: string; readonly memoryBytes: number } | { readonly ended: string };

interface WasmExports {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  alloc(size: number): number;
  translate(optionsSize: number, documentSize: number): bigint;
  validate(size: number): bigint;
  merge(parentSize: number, childSize: number): bigint;
}

const noFiles = virtualFolder('/', new Map());
let folder: VirtualFolder = noFiles;

async function openInstance(module: WebAssembly.Module): Promise<WasmExports> {
  const names = WebAssembly.Module.imports(module).map((entry) => entry.name);
  let exports: WasmExports | undefined;
  const memory = () => {
    if (exports === undefined) throw new Error('the instance asked for memory before it had one');
    return exports.memory;
  };
  const imports = wasiImports(names, () => folder, memory);
  const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: imports });
  exports = instance.exports as unknown as WasmExports;
  exports._initialize();
  return exports;
}

function ask(wasm: WasmExports, { operation, parts, files }: WasmRequest): string {
  folder = files === undefined ? noFiles : virtualFolder(files.mount, files.files);
  const encoded = parts.map((part) => new TextEncoder().encode(part));
  const sizes = encoded.map((part) => part.byteLength);
  let at = wasm.alloc(sizes.reduce((sum, size) => sum + size, 0));
  for (const part of encoded) {
    new Uint8Array(wasm.memory.buffer, at, part.byteLength).set(part);
    at += part.byteLength;
  }
  const [first = 0, second = 0] = sizes;
  const place = BigInt.asUintN(64, wasm[operation](first, second));
  const answer = new Uint8Array(wasm.memory.buffer, Number(place >> 32n), Number(place & 0xffff_ffffn));
  folder = noFiles;
  return new TextDecoder().decode(answer);
}

const port = parentPort;
if (port !== null) {
  const opening = openInstance((workerData as { module: WebAssembly.Module }).module);
  opening.catch(() => {});
  port.on('message', async (request: WasmRequest) => {
    let reply: WasmReply;
    try {
      const wasm = await opening;
      reply = { json: ask(wasm, request), memoryBytes: wasm.memory.buffer.byteLength };
    } catch (error) {
      reply = { ended: String(error) };
    }
    port.postMessage(reply);
  });
}
