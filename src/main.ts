import './assure-home.ts';
import { runProgram } from './run-program.ts';

/** Runs the command line; the one entry point of `bin/edgefab.js`. */
export async function main(importMetaUrl: string): Promise<void> {
  await runProgram({ dir: importMetaUrl });
}
