import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseLock } from '../../src/mirror/resolve/lock.ts';
import { measureProcess, type ProcessFigures } from './measure-process.ts';
import type { ResolveWorld } from './resolve-world.ts';

const PROGRAM = fileURLToPath(new URL('../../bin/edgefab.js', import.meta.url));

export interface Resolved extends ProcessFigures {
  /** HOST/PATH@DIGEST, sorted. */
  readonly images: readonly string[];
}

/** Runs `edgefab resolve` from a clean start, without a lock that could be kept. */
export async function edgefabResolve(options: {
  readonly imageSet: string;
  readonly world: Pick<ResolveWorld, 'graphUrl' | 'signatureUrl' | 'keyring'>;
  readonly folder: string;
}): Promise<Resolved> {
  const lock = join(options.folder, 'edgefab.lock');
  const authfile = join(options.folder, 'auth.json');
  await rm(lock, { force: true });
  await writeFile(authfile, '{}');
  const figures = await measureProcess(
    [
      ...[process.execPath, PROGRAM, 'resolve', options.imageSet, '--output', lock, '--quiet'],
      ...['--insecure', '--authfile', authfile, '--graph', options.world.graphUrl],
      ...['--release-keyring', options.world.keyring, '--signature-store', options.world.signatureUrl],
    ],
    { cwd: options.folder, env: { PATH: process.env.PATH ?? '', HOME: options.folder } },
  );
  const { images } = parseLock(await readFile(lock, 'utf8'), lock);
  return {
    ...figures,
    images: [...new Set(images.map(({ source, digest }) => `${source}@${digest}`))].sort(),
  };
}
