import { readFile } from 'node:fs/promises';
import { parentPort, workerData } from 'node:worker_threads';
import { wasiImports } from './wasi.ts';

/** What the worker is asked: the parts of one request, in the order the wasm wants them. */
export interface IgnitionRequest {
  readonly operation: 'validate' | 'merge';
  readonly parts: readonly string[];
}

/** What the worker answers: the wasm's JSON, or why the instance is gone. */
export type IgnitionReply = { readonly json: string } | { readonly ended: string };

interface IgnitionExports {
  readonly memory: WebAssembly.Memory;
  _initialize(): void;
  alloc(size: number): number;
  validate(size: number): bigint;
  merge(parentSize: number, childSize: number): bigint;
}

async function openInstance(wasmPath: string): Promise<IgnitionExports> {
  const module = await WebAssembly.compile(await readFile(wasmPath));
  const names = WebAssembly.Module.imports(module).map((entry) => entry.name);
  let exports: IgnitionExports | undefined;
  const imports = wasiImports(names, () => {
    if (exports === undefined) throw new Error('the instance asked for memory before it had one');
    return exports.memory;
  });
  const instance = await WebAssembly.instantiate(module, { wasi_snapshot_preview1: imports });
  exports = instance.exports as unknown as IgnitionExports;
  exports._initialize();
  return exports;
}

function ask(wasm: IgnitionExports, { operation, parts }: IgnitionRequest): string {
  const encoded = parts.map((part) => new TextEncoder().encode(part));
  const sizes = encoded.map((part) => part.byteLength);
  let at = wasm.alloc(sizes.reduce((sum, size) => sum + size, 0));
  for (const part of encoded) {
    new Uint8Array(wasm.memory.buffer, at, part.byteLength).set(part);
    at += part.byteLength;
  }
  const [first = 0, second = 0] = sizes;
  const place = BigInt.asUintN(64, operation === 'merge' ? wasm.merge(first, second) : wasm.validate(first));
  const answer = new Uint8Array(wasm.memory.buffer, Number(place >> 32n), Number(place & 0xffff_ffffn));
  return new TextDecoder().decode(answer);
}

const port = parentPort;
if (port !== null) {
  const opening = openInstance((workerData as { wasmPath: string }).wasmPath);
  opening.catch(() => {});
  port.on('message', async (request: IgnitionRequest) => {
    let reply: IgnitionReply;
    try {
      reply = { json: ask(await opening, request) };
    } catch (error) {
      reply = { ended: String(error) };
    }
    port.postMessage(reply);
  });
}
