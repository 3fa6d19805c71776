/** What the types of ECMAScript and of Node leave out. */
const { Memory } = (
  globalThis as unknown as {
    readonly WebAssembly: {
      readonly Memory: new (size: {
        readonly initial: number;
        readonly maximum: number;
        readonly shared: true;
      }) => { readonly buffer: SharedArrayBuffer };
    };
  }
).WebAssembly;

/** WebAssembly's page; what its memory starts at is a multiple of the machine's. */
const PAGE_BYTES = 64 * 1024;

/**
 * Makes zeroed memory, shared between threads, that begins at a page, as open(2) wants it for O_DIRECT. Node's own
 * buffers begin anywhere; the memory of a WebAssembly instance never does. It may be larger than asked for.
 */
export function alignedMemory(sizeBytes: number): SharedArrayBuffer {
  const pages = Math.ceil(sizeBytes / PAGE_BYTES);
  return new Memory({ initial: pages, maximum: pages, shared: true }).buffer;
}
