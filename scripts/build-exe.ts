import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { inject } from 'postject';
import { BUTANE_WASM, LIBLZMA_WASM, workerAsset } from '../src/packaged.ts';
import { bundleExecutable } from './build-exe-bundle.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
/** What Node looks for in its own file (Node's documentation, single executable applications). */
const RESOURCE = 'NODE_SEA_BLOB';
const FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/** Its name is kept in the executable, and shown in stack traces: without a folder, to build the same bytes anywhere. */
const MAIN = 'edgefab.cjs';

const { values } = parseArgs({
  options: {
    arch: { type: 'string', default: 'x64' },
    /** The Node binary to put everything into; of another machine's architecture, too. */
    node: { type: 'string' },
    out: { type: 'string' },
  },
});
const out = resolve(values.out ?? join(ROOT, `dist/edgefab-linux-${values.arch}`));
const node = resolve(values.node ?? join(ROOT, `node_modules/node-linux-${values.arch}/bin/node`));
const wasm = join(ROOT, 'packages/butane-wasm/dist/butane.wasm');

for (const [file, how] of [
  [node, `npm pack node-linux-${values.arch}@${process.versions.node}, and name its bin/node with --node`],
  [wasm, 'npm run build:wasm, which needs Go 1.24 or newer'],
  [join(ROOT, 'oclif.manifest.json'), 'npm run build:cli'],
] as const) {
  if (existsSync(file)) continue;
  console.error(`the executable cannot be built without ${file}\n  try: ${how}`);
  process.exit(4);
}

const startedMs = Date.now();
const work = mkdtempSync(join(tmpdir(), 'edgefab-exe-'));
try {
  const scripts = await bundleExecutable(ROOT);
  const assets = new Map([
    ...['package.json', 'oclif.manifest.json'].map((file) => [file, join(ROOT, file)] as const),
    ...filesOf('overlays'),
    ...filesOf('imagesets'),
    ...filesOf('schemas'),
    [BUTANE_WASM, wasm],
    [LIBLZMA_WASM, createRequire(import.meta.url).resolve('node-liblzma/wasm/liblzma.wasm')],
  ] as [string, string][]);
  for (const [name, text] of scripts.workers) {
    writeFileSync(join(work, `${name}.cjs`), text);
    assets.set(workerAsset(name), join(work, `${name}.cjs`));
  }
  writeFileSync(join(work, MAIN), scripts.main);
  const blob = join(work, 'blob');
  const config = join(work, 'sea.json');
  writeFileSync(
    config,
    JSON.stringify({
      main: MAIN,
      output: blob,
      disableExperimentalSEAWarning: true,
      // What V8 compiled holds for this very V8 on this architecture.
      useCodeCache: isThisNode(node),
      // Node says in every run that its SQLite, which holds the lock of a cache, is experimental.
      execArgv: ['--disable-warning=ExperimentalWarning'],
      assets: Object.fromEntries([...assets].sort()),
    }),
  );
  // Without a fixed seed the compiled code is another one at each build. V8 leaves the seed out of what it compares.
  const flags = ['--random-seed=1', '--experimental-sea-config', config];
  execFileSync(process.execPath, flags, { cwd: work, stdio: 'pipe' });
  mkdirSync(dirname(out), { recursive: true });
  const temporary = `${out}.${process.pid}.tmp`;
  try {
    copyFileSync(node, temporary);
    chmodSync(temporary, 0o755);
    await inject(temporary, RESOURCE, readFileSync(blob), { sentinelFuse: FUSE });
    renameSync(temporary, out);
  } finally {
    rmSync(temporary, { force: true });
  }
  const megabytes = (statSync(out).size / 1e6).toFixed(1);
  console.log(
    `${relative(process.cwd(), out)}: ${megabytes} MB, in ${((Date.now() - startedMs) / 1000).toFixed(1)} s`,
  );
} finally {
  rmSync(work, { recursive: true, force: true });
}

/** The files under a folder of the package, by their paths in it. */
function filesOf(folder: string): [string, string][] {
  return readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [relative(ROOT, path), path]);
}

function isThisNode(binary: string): boolean {
  return readFileSync(binary).equals(readFileSync(process.execPath));
}
