import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { rolldown } from 'rolldown';
import type { WorkerName } from '../src/packaged.ts';

/** A module that is nowhere on disk: the table of all commands, made from the manifest. */
const ENTRY = '\0edgefab-executable';

const WORKERS: Readonly<Record<WorkerName, string>> = {
  'hash-worker': 'src/mirror/store/hash-worker.ts',
  'stick-worker': 'src/disk/stick/stick-worker.ts',
  'wasm-worker': 'packages/butane-wasm/src/wasm-worker.ts',
};

/** The scripts the executable runs, each one CommonJS text that asks for nothing but Node's own modules. */
export interface ExecutableScripts {
  readonly main: string;
  readonly workers: ReadonlyMap<WorkerName, string>;
}

/** Bundles edgefab and its worker threads, out of the sources; the manifest must have been built. */
export async function bundleExecutable(root: string): Promise<ExecutableScripts> {
  const workers = new Map<WorkerName, string>();
  for (const name of ['hash-worker', 'stick-worker', 'wasm-worker'] as const) {
    workers.set(name, await bundle(root, join(root, WORKERS[name])));
  }
  return { main: await bundle(root, ENTRY), workers };
}

async function bundle(root: string, input: string): Promise<string> {
  const built = await rolldown({
    cwd: root,
    input,
    platform: 'node',
    // oclif has it to run commands that are not compiled yet.
    external: ['typescript'],
    // The package as it is in this tree, not as it was built last.
    resolve: { alias: { 'butane-wasm': join(root, 'packages/butane-wasm/src/index.ts') } },
    plugins: [
      {
        name: 'entry of the executable',
        resolveId: (id) => (id === ENTRY ? id : undefined),
        load: (id) => (id === ENTRY ? entry(root) : undefined),
      },
    ],
    // Packages bring code for other runtimes along, which warns about things that are not used.
    logLevel: 'silent',
  });
  const { output } = await built.generate({
    format: 'cjs',
    codeSplitting: false,
    // Code that V8 has compiled ahead cannot `import()`, not even Node's own modules.
    dynamicImportInCjs: false,
    comments: { legal: true, annotation: false, jsdoc: false },
  });
  await built.close();
  const [chunk, ...others] = output;
  if (others.length > 0) throw new Error(`${input} became ${output.length} files: want one`);
  return chunk.code;
}

function entry(root: string): string {
  const manifest = JSON.parse(readFileSync(join(root, 'oclif.manifest.json'), 'utf8')) as {
    readonly commands: Readonly<Record<string, { readonly relativePath: readonly string[] }>>;
  };
  const rows = Object.entries(manifest.commands).map(([id, { relativePath }]) => {
    const source = resolve(root, 'src', ...relativePath.slice(1)).replace(/\.js$/, '.ts');
    return `${JSON.stringify(id)}: () => import(${JSON.stringify(source)}),`;
  });
  return [
    `import { mainExecutable } from ${JSON.stringify(join(root, 'src/main-executable.ts'))};`,
    `mainExecutable({ ${rows.join('\n')} });`,
  ].join('\n');
}
