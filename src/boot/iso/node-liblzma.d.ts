// The parts of the optional package that are used; written down here because it may not be installed.
declare module 'node-liblzma/wasm' {
  /** Without a loader, takes the WebAssembly from the package's own file. */
  export function initModule(loader?: () => Promise<unknown>): Promise<unknown>;
  export function resetModule(): void;
  export function xzAsync(bytes: Uint8Array, options: { preset: number; check: number }): Promise<Uint8Array>;
  export function unxzAsync(bytes: Uint8Array, options: { memlimit: number }): Promise<Uint8Array>;
}

declare module 'node-liblzma/wasm/liblzma.js' {
  export default function createLzma(options: { wasmBinary: Uint8Array }): Promise<unknown>;
}
