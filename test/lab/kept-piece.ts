import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { holdFile } from '../../src/mirror/store/hold-file.ts';

/** Where the pieces of the lab are kept between runs. */
export const LAB_CACHE = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'edgefab-lab');

const KEY_DIGITS = 16;
/** A piece is a few hundred megabytes: of each kind only so many stay. */
const KEPT = 2;

/** The content of files, and of all files in folders, in one digest; other inputs count as they are written. */
export function keyOf(inputs: readonly string[]): string {
  const hash = createHash('sha256');
  for (const input of inputs) {
    hash.update(`${basename(input)}\0`);
    if (!existsSync(input)) continue;
    const files = statSync(input).isDirectory()
      ? readdirSync(input, { recursive: true, withFileTypes: true })
          .filter((entry) => entry.isFile())
          .map(({ parentPath, name }) => join(parentPath, name))
          .sort()
      : [input];
    for (const file of files) hash.update(`${file.slice(input.length)}\0`).update(readFileSync(file));
  }
  return hash.digest('hex').slice(0, KEY_DIGITS);
}

/**
 * Gives the folder of a piece, made only when its key is new, and by one process at a time. It gets its name when it is
 * whole: what a killed run left is never taken for a piece.
 */
export async function keptPiece(
  name: string,
  key: string,
  make: (folder: string) => Promise<void> | void,
): Promise<string> {
  const folder = join(LAB_CACHE, `${name}-${key}`);
  if (existsSync(folder)) return folder;
  mkdirSync(LAB_CACHE, { recursive: true });
  // Tests run side by side, and want the same piece at the same time.
  using _held = await waitForTurn(join(LAB_CACHE, `.${name}.lock`));
  if (existsSync(folder)) return folder;
  const made = mkdtempSync(join(LAB_CACHE, `.${name}-`));
  try {
    await make(made);
    renameSync(made, folder);
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
  dropOld(name, folder);
  return folder;
}

async function waitForTurn(path: string): Promise<Disposable> {
  for (;;) {
    const held = await holdFile(path);
    if (held !== undefined) return held;
    await delay(500);
  }
}

function dropOld(name: string, newest: string): void {
  const others = readdirSync(LAB_CACHE)
    .filter((each) => each.startsWith(`${name}-`) && each.length === name.length + 1 + KEY_DIGITS)
    .map((each) => join(LAB_CACHE, each))
    .filter((folder) => folder !== newest)
    .sort((one, other) => statSync(other).mtimeMs - statSync(one).mtimeMs);
  for (const folder of others.slice(KEPT - 1)) rmSync(folder, { recursive: true, force: true });
}
