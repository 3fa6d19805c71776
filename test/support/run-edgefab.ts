import { execFile } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What Node compiled is kept between runs, as it is for a user with a home folder: the tests start it a thousand times. */
const NODE_COMPILE_CACHE = join(tmpdir(), 'edgefab-tests-compiled');
const PROGRAM = fileURLToPath(new URL('../../bin/edgefab.js', import.meta.url));

export interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the built program as a user would, with no credentials of this machine in sight. */
export function runEdgefab(
  args: readonly string[],
  options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Finished> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      process.execPath,
      [PROGRAM, ...args],
      {
        ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
        env: {
          ...{ PATH: process.env.PATH, HOME: '/nonexistent', NO_COLOR: '1', NODE_COMPILE_CACHE },
          ...options.env,
        },
        maxBuffer: 64 * 1024 * 1024,
      },
      (error, stdout, stderr) => {
        const status = child.exitCode;
        if (status === null) reject(error ?? new Error('edgefab was ended by a signal'));
        else resolve({ status, stdout, stderr });
      },
    );
    child.stdin?.end();
  });
}

/** Runs the program with `--json` and gives its one document. */
export async function runEdgefabJson(
  args: readonly string[],
  options: Parameters<typeof runEdgefab>[1] = {},
): Promise<Finished & { readonly document: Record<string, unknown> }> {
  const finished = await runEdgefab([...args, '--json'], options);
  return { ...finished, document: JSON.parse(finished.stdout) as Record<string, unknown> };
}
