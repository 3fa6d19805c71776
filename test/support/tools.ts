import { spawnSync } from 'node:child_process';

/** Tells whether all of these programs are on PATH; a test skips, and says so, where one is not. */
export function haveTools(...programs: readonly string[]): boolean {
  return programs.every((program) => spawnSync('which', [program], { stdio: 'ignore' }).status === 0);
}
