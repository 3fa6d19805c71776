import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseLock } from '../../src/mirror/resolve/lock.ts';
import { measureProcess, type ProcessFigures } from './measure-process.ts';
import type { ResolveWorld } from './resolve-world.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/edgefab.js', import.meta.url));

export interface Resolved extends ProcessFigures {
  /** HOST/PATH@DIGEST or HOST/PATH:TAG, sorted. */
  readonly images: readonly string[];
}

interface ResolveOptions {
  readonly imageSet: string;
  readonly world: Pick<ResolveWorld, 'graphUrl' | 'signatureUrl' | 'keyring'>;
  readonly folder: string;
}

/** Runs `edgefab resolve` with what it prints in a file. */
async function runResolve(
  { imageSet, world, folder }: ResolveOptions,
  printed: string,
  more: readonly string[],
): Promise<ProcessFigures> {
  const authfile = join(folder, 'auth.json');
  await writeFile(authfile, '{}');
  return await measureProcess(
    [
      ...['sh', '-c', 'exec "$@" >"$0"', printed],
      ...[process.execPath, PROGRAM, 'resolve', imageSet, '--quiet'],
      ...['--insecure', '--authfile', authfile, '--graph', world.graphUrl],
      ...['--release-keyring', world.keyring, '--signature-store', world.signatureUrl, ...more],
    ],
    { cwd: folder, env: { PATH: process.env.PATH ?? '', HOME: folder } },
  );
}

/** Runs `edgefab resolve --dry-run`: like oc-mirror's, it asks for no manifest of an image it names. */
export async function edgefabDryRun(options: ResolveOptions): Promise<Resolved> {
  const printed = join(options.folder, 'named.txt');
  const figures = await runResolve(options, printed, ['--dry-run']);
  return { ...figures, images: (await readFile(printed, 'utf8')).trim().split('\n') };
}

/** Runs `edgefab resolve` from a clean start, without a lock that could be kept. */
export async function edgefabResolve(options: ResolveOptions): Promise<Resolved> {
  const lock = join(options.folder, 'edgefab.lock');
  await rm(lock, { force: true });
  const figures = await runResolve(options, '/dev/null', ['--output', lock]);
  const { images } = parseLock(await readFile(lock, 'utf8'), lock);
  return {
    ...figures,
    images: [...new Set(images.map(({ source, digest }) => `${source}@${digest}`))].sort(),
  };
}
