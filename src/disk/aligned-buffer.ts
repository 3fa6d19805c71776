/** What the types of ECMAScript and of Node leave out. */
const { Memory } = (
  globalThis as unknown as {
    readonly WebAssembly: {
      readonly Memory: new (size: { readonly initial: number }) => { readonly buffer: ArrayBuffer };
    };
  }
).WebAssembly;

/** WebAssembly's page; what its memory starts at is a multiple of the machine's. */
const PAGE_BYTES = 64 * 1024;

/**
 * Makes a zeroed buffer that begins at a page of memory, as open(2) wants it for O_DIRECT. Node's own buffers begin
 * anywhere; the memory of a WebAssembly instance never does.
 */
export function alignedBuffer(sizeBytes: number): Buffer {
  const memory = new Memory({ initial: Math.ceil(sizeBytes / PAGE_BYTES) });
  return Buffer.from(memory.buffer, 0, sizeBytes);
}
