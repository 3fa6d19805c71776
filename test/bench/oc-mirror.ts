import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { measureProcess, type ProcessFigures } from './measure-process.ts';
import type { ResolveWorld } from './resolve-world.ts';

const execute = promisify(execFile);

export interface OcMirror {
  readonly program: string;
  readonly version: 'v1' | 'v2';
}

/** Tells by its help which oc-mirror a program is: only v2 has a cache folder. */
export async function detectOcMirror(program: string): Promise<OcMirror> {
  const help = async (...args: string[]): Promise<string> => {
    try {
      return (await execute(program, [...args, '--help'])).stdout;
    } catch {
      return '';
    }
  };
  if ((await help('--v2')).includes('--cache-dir')) return { program, version: 'v2' };
  if ((await help()).includes('--dry-run')) return { program, version: 'v1' };
  throw new Error(`${program} is no oc-mirror: neither its help nor that of --v2 knows --dry-run`);
}

interface DryRunOptions {
  readonly imageSet: string;
  readonly world: Pick<ResolveWorld, 'registry' | 'graphUrl' | 'signatureUrl' | 'keyring'>;
  /** A folder of its own, emptied first: a second run would reuse what the first one unpacked. */
  readonly folder: string;
}

export interface DryRun extends ProcessFigures {
  /** The left sides of its mapping.txt, sorted. */
  readonly images: readonly string[];
}

/** Runs oc-mirror's dry run to disk from a clean start. */
export async function dryRun(
  { program, version }: OcMirror,
  { imageSet, world, folder }: DryRunOptions,
): Promise<DryRun> {
  const at = (...parts: string[]): string => join(folder, ...parts);
  for (const name of ['out', 'cache']) await rm(at(name), { recursive: true, force: true });
  await writeFile(at('registries.conf'), `[[registry]]\nlocation = "${world.registry}"\ninsecure = true\n`);
  const target = `file://${at('out')}`;
  const command =
    version === 'v2'
      ? [
          ...['--v2', '--config', imageSet, '--dry-run'],
          ...['--src-tls-verify=false', '--dest-tls-verify=false', '--cache-dir', at('cache'), target],
        ]
      : ['--config', imageSet, '--dry-run', '--source-use-http', '--dest-use-http', target];
  const figures = await measureProcess([program, ...command], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? '',
      HOME: folder,
      UPDATE_URL_OVERRIDE: world.graphUrl,
      OCP_SIGNATURE_URL: world.signatureUrl,
      OCP_SIGNATURE_VERIFICATION_PK: world.keyring,
      CONTAINERS_REGISTRIES_CONF: at('registries.conf'),
      // Nothing may leave the machine: without this v1 asks a public server for signatures, and waits.
      HTTPS_PROXY: 'http://127.0.0.1:9',
    },
  });
  const mapping = version === 'v2' ? at('out', 'working-dir', 'dry-run') : at('out', 'oc-mirror-workspace');
  const lines = (await readFile(join(mapping, 'mapping.txt'), 'utf8'))
    .split('\n')
    .filter((line) => line !== '');
  const sources = lines.map((line) => line.replace(/^docker:\/\//, '').replace(/=(docker|file):\/\/.*$/, ''));
  return { ...figures, images: [...new Set(sources)].sort() };
}
