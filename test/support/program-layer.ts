import { readFileSync } from 'node:fs';

const LOADER = '/lib64/ld-linux-x86-64.so.2';
const LIBC = '/lib/x86_64-linux-gnu/libc.so.6';

/** Files of an image in which a program of this machine that wants no more than the C library runs. */
export function programFiles(path: string, program: string): Record<string, Buffer> {
  return {
    [path]: readFileSync(program),
    [LOADER.slice(1)]: readFileSync(LOADER),
    [LIBC.slice(1)]: readFileSync(LIBC),
  };
}

/** Whether images with programs of this machine can be made here: Debian on x86_64. */
export function hasProgram(program: string): boolean {
  return [program, LOADER, LIBC].every((path) => {
    try {
      return readFileSync(path).length > 0;
    } catch {
      return false;
    }
  });
}
