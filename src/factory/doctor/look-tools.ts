import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Finding } from './finding.ts';

/** A program edgefab starts, what for, and how it tells its version. */
export interface Tool {
  readonly program: string;
  readonly purpose: string;
  readonly versionArgs: readonly string[];
  /** The package that has it, in Debian's and Fedora's words. */
  readonly packages: string;
}

/** What looking at disks and preparing them takes. */
export const DISK_TOOLS: readonly Tool[] = [
  { program: 'sgdisk', purpose: 'writes partition tables', versionArgs: ['--version'], packages: 'gdisk' },
  { program: 'mkfs.xfs', purpose: 'makes the cache file system', versionArgs: ['-V'], packages: 'xfsprogs' },
  { program: 'blkid', purpose: 'finds the cache disk', versionArgs: ['-V'], packages: 'util-linux' },
  { program: 'mount', purpose: 'mounts the cache disk', versionArgs: ['--version'], packages: 'util-linux' },
];

/** Looks whether programs are there, and which versions. What only some commands need is a note. */
export async function lookAtTools(
  tools: readonly Tool[],
  state: 'note' | 'missing',
  host: Pick<Host, 'run'>,
): Promise<Finding[]> {
  return await Promise.all(
    tools.map(async ({ program, purpose, versionArgs, packages }): Promise<Finding> => {
      try {
        const { stdout, stderr } = await host.run(program, versionArgs);
        const [line = ''] = `${stdout}${stderr}`.trim().split('\n');
        return { what: program, state: 'ok', detail: line };
      } catch (error) {
        if (!(error instanceof EdgefabError)) throw error;
        return {
          what: program,
          state,
          detail: `it is not on PATH, and ${purpose}`,
          remedy: `Install the package ${packages}`,
        };
      }
    }),
  );
}
