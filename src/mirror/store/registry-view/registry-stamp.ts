import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod/v4';
import { hasCode } from '../../../errors.ts';
import { storePaths } from '../store-paths.ts';
import { REGISTRY_STAMP } from './registry-paths.ts';

/** Which entries there are for a given lock: another number when that changes. */
const LAYOUT = 1;

const stamp = z.object({ layout: z.number(), lock: z.string() });

/** Formats what a finished view says of itself; `lock` is the id of the lock it was made from. */
export function formatRegistryStamp(lock: string): string {
  return `${JSON.stringify({ layout: LAYOUT, lock })}\n`;
}

/** Reads the id of the lock a view was made from, with any layout; undefined without a readable stamp. */
export async function loadRegistryStamp(root: string): Promise<string | undefined> {
  return (await readStamp(root))?.lock;
}

/** Tells whether the view of a cache is the one this edgefab would make from the lock of that id. */
export async function isRegistryViewOf(root: string, lock: string): Promise<boolean> {
  const found = await readStamp(root);
  return found?.lock === lock && found.layout === LAYOUT;
}

async function readStamp(root: string): Promise<z.infer<typeof stamp> | undefined> {
  try {
    const text = await readFile(join(storePaths.registryView(root), REGISTRY_STAMP), 'utf8');
    return stamp.safeParse(JSON.parse(text)).data;
  } catch (error) {
    if (hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR') || error instanceof SyntaxError)
      return undefined;
    throw error;
  }
}
