import { execute } from '@oclif/core';

/** Runs the command line; the one entry point of `bin/edgefab.js`. */
export async function main(importMetaUrl: string): Promise<void> {
  await execute({ dir: importMetaUrl });
}
