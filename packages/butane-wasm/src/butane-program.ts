import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import { ButaneError } from './butane-error.ts';

const MAX_OUTPUT_BYTES = 128 * 1024 * 1024;
const runFile = promisify(execFile);

/** The environment a program is looked up in: `BUTANE` names it, otherwise `PATH` is searched. */
export type ButaneEnv = Readonly<Record<string, string | undefined>>;

export interface ButaneRun {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Finds the butane program; throws BUTANE_UNAVAILABLE, telling how to get one. */
export async function findButane(env: ButaneEnv): Promise<string> {
  const folders = (env.PATH ?? '').split(delimiter).filter((folder) => folder !== '');
  const candidates = env.BUTANE ? [env.BUTANE] : folders.map((folder) => join(folder, 'butane'));
  for (const candidate of candidates) {
    const usable = await access(candidate, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return candidate;
  }
  const looked = env.BUTANE ? `BUTANE names ${env.BUTANE}, which cannot be run` : 'it is not on PATH';
  throw new ButaneError(
    'Butane is not available: its WebAssembly is not built, and there is no butane program ' +
      `(${looked}). Run "npm run build" with Go 1.24 or newer on PATH, or install butane from your ` +
      'distribution or its releases, or set BUTANE to the program.',
    'BUTANE_UNAVAILABLE',
  );
}

/** Runs butane over a document on its standard input, without a shell; throws BUTANE_TIMEOUT, BUTANE_FAILED. */
export async function runButane(
  program: string,
  args: readonly string[],
  input: string,
  timeoutMs: number,
): Promise<ButaneRun> {
  const running = runFile(program, [...args], {
    env: {},
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
    maxBuffer: MAX_OUTPUT_BYTES,
  });
  // Butane may end before it has read everything; its exit status tells why, not the broken pipe.
  running.child.stdin?.on('error', () => {}).end(input);
  try {
    return { exitCode: 0, ...(await running) };
  } catch (cause) {
    const failed = cause as { code?: unknown; killed?: boolean; stdout?: string; stderr?: string };
    if (typeof failed.code === 'number') {
      return { exitCode: failed.code, stdout: failed.stdout ?? '', stderr: failed.stderr ?? '' };
    }
    if (failed.killed && failed.code === null) {
      throw new ButaneError(`butane took longer than ${timeoutMs} ms`, 'BUTANE_TIMEOUT', undefined, cause);
    }
    throw new ButaneError(`butane could not be run: ${program}`, 'BUTANE_FAILED', undefined, cause);
  }
}
