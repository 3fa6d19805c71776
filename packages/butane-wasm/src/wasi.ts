import type { VirtualFolder } from './virtual-folder.ts';
import { wasiFiles } from './wasi-files.ts';

const ERRNO_SUCCESS = 0;
const ERRNO_BADF = 8;
const ERRNO_NOSYS = 52;

/** Thrown when Go ends the instance: a panic, or memory or stack at an end. Carries what Go printed last. */
class InstanceEnded extends Error {
  constructor(status: number, printed: string) {
    super(`the WebAssembly instance ended with status ${status}: ${printed.split('\n')[0] || 'no message'}`);
    this.name = 'InstanceEnded';
  }
}

/**
 * Builds the part of WASI preview 1 that Go's runtime needs and no more: clock, random, a standard error
 * kept for the message of a crash, and the files of `folder`. There are no arguments and no environment.
 * `memory` is asked late, because the instance that owns it does not exist yet.
 */
export function wasiImports(
  names: readonly string[],
  folder: () => VirtualFolder,
  memory: () => WebAssembly.Memory,
): Record<string, (...args: never[]) => number> {
  let printed = '';
  const view = () => new DataView(memory().buffer);
  const known: Record<string, (...args: never[]) => number> = {
    proc_exit(status: number): number {
      throw new InstanceEnded(status, printed);
    },
    fd_write(fd: number, vectors: number, count: number, written: number): number {
      if (fd !== 1 && fd !== 2) return ERRNO_BADF;
      let total = 0;
      for (let i = 0; i < count; i++) {
        const pointer = view().getUint32(vectors + i * 8, true);
        const size = view().getUint32(vectors + i * 8 + 4, true);
        if (printed.length < 4096) {
          printed += new TextDecoder().decode(new Uint8Array(memory().buffer, pointer, size));
        }
        total += size;
      }
      view().setUint32(written, total, true);
      return ERRNO_SUCCESS;
    },
    clock_time_get(_id: number, _precision: bigint, out: number): number {
      view().setBigUint64(out, BigInt(Math.round(performance.now() * 1e6)), true);
      return ERRNO_SUCCESS;
    },
    random_get(pointer: number, size: number): number {
      // getRandomValues takes at most 65,536 bytes a call.
      for (let done = 0; done < size; done += 65_536) {
        crypto.getRandomValues(
          new Uint8Array(memory().buffer, pointer + done, Math.min(65_536, size - done)),
        );
      }
      return ERRNO_SUCCESS;
    },
    args_sizes_get: noStrings,
    environ_sizes_get: noStrings,
    args_get: () => ERRNO_SUCCESS,
    environ_get: () => ERRNO_SUCCESS,
    sched_yield: () => ERRNO_SUCCESS,
    ...wasiFiles(folder, memory),
    poll_oneoff(_in: number, _out: number, count: number, ready: number): number {
      // Only the runtime's timers come here; nothing waits on them, so each is due at once.
      view().setUint32(ready, count, true);
      return ERRNO_SUCCESS;
    },
  };
  function noStrings(count: number, size: number): number {
    view().setUint32(count, 0, true);
    view().setUint32(size, 0, true);
    return ERRNO_SUCCESS;
  }
  return Object.fromEntries(names.map((name) => [name, known[name] ?? (() => ERRNO_NOSYS)]));
}
