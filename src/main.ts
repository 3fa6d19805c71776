import './assure-home.ts';
import { execute } from '@oclif/core';
import { runNaturally } from './run-naturally.ts';
import { tuneMemory } from './tune-memory.ts';

/** Runs the command line; the one entry point of `bin/edgefab.js`. */
export async function main(importMetaUrl: string): Promise<void> {
  tuneMemory();
  await runNaturally(() => execute({ dir: importMetaUrl }));
}
