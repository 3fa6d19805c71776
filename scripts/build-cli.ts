import { execFileSync } from 'node:child_process';
import { globSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { rolldown } from 'rolldown';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const DIST = join(ROOT, 'dist');

/**
 * What stays a file of its own, where it is in `src/`: what the program is started by, what oclif looks for, what
 * worker threads are, and what finds files beside itself. All else is joined: `plan` starts with a tenth to a
 * fifth less processor time than from the hundreds of modules it is written in.
 */
const ENTRIES = [
  'main.ts',
  'packaged.ts',
  'mirror/store/file-hasher.ts',
  'mirror/store/hash-worker.ts',
  'disk/stick/stick-thread.ts',
  'disk/stick/stick-worker.ts',
  ...globSync('commands/**/*.ts', { cwd: join(ROOT, 'src') }).filter(
    (path) => !path.startsWith('commands/terminal/'),
  ),
];

// What an earlier build left; the single executable is built by another script.
mkdirSync(DIST, { recursive: true });
for (const name of readdirSync(DIST))
  if (!name.startsWith('edgefab-linux-')) rmSync(join(DIST, name), { recursive: true });

const bundle = await rolldown({
  cwd: ROOT,
  input: Object.fromEntries(ENTRIES.map((path) => [path.replace(/\.ts$/, ''), join(ROOT, 'src', path)])),
  platform: 'node',
  // What the oldest Node that runs edgefab knows; it does not know `using`.
  transform: { target: 'es2024' },
  // Packages stay packages: whoever installs edgefab gets them, and mends them, from the registry.
  external: (id) => !/^[./]|^@oxc-project\/runtime/.test(id),
});
await bundle.write({
  dir: DIST,
  format: 'esm',
  entryFileNames: '[name].js',
  chunkFileNames: 'shared/[name]-[hash].js',
  comments: { legal: true, annotation: false, jsdoc: false },
});
await bundle.close();
execFileSync('oclif', ['manifest'], { cwd: ROOT, stdio: 'inherit' });
