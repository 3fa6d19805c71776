import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { DEFAULT_WASM_PATH } from '../src/wasm-origin.ts';

function onPath(program: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path));
}

/** The real butane, named by BUTANE or found on PATH. */
export const butaneProgram = process.env.BUTANE ?? onPath('butane');
export const ignitionValidate = onPath('ignition-validate');
export const hasWasm = existsSync(DEFAULT_WASM_PATH);

export const NEEDS_BUTANE = butaneProgram === undefined ? ' (SKIPPED: no butane, set BUTANE)' : '';
export const NEEDS_WASM = hasWasm ? '' : ' (SKIPPED: WebAssembly not built, run npm run build)';
export const NEEDS_VALIDATE =
  hasWasm && ignitionValidate !== undefined ? '' : ' (SKIPPED: no ignition-validate or no WebAssembly)';

/** Runs a real program over a text; returns what it printed, whatever its exit status. */
export function runPeer(
  program: string,
  args: readonly string[],
  input: string,
): { ok: boolean; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(program, [...args], {
    input,
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
  });
  return { ok: status === 0, stdout, stderr };
}
