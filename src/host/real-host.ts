import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { homedir } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { EdgefabError, hasCode } from '../errors.ts';
import type { Host } from './host.ts';

/** The machine edgefab runs on. */
export const realHost: Host = {
  env: process.env,
  homeDir: homedir(),
  now: () => new Date(),
  randomBytes: (size) => randomBytes(size),
  sleep: async (ms, signal) => {
    await delay(ms, undefined, signal === undefined ? {} : { signal });
  },
  run: async (program, args, options = {}) => {
    // Loaded on first use: most commands start no program, and start-up time is a promise.
    const { execa } = await import('execa');
    const result = await execa(program, args, {
      reject: false,
      ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
      ...(options.env === undefined ? {} : { env: options.env }),
      ...(options.input === undefined ? {} : { input: options.input }),
    });
    if (result instanceof Error && hasCode(result, 'ENOENT')) {
      throw new EdgefabError(`the program ${program} is not on PATH`, {
        code: 'TOOL_MISSING',
        suggestions: [`Install ${program}, or run edgefab doctor to see what is missing`],
        cause: result,
      });
    }
    return { exitCode: result.exitCode, stdout: String(result.stdout), stderr: String(result.stderr) };
  },
  flushFileSystem: (folder) =>
    new Promise((resolve, reject) => {
      // Not by execa: loading it takes longer than the flush.
      execFile('sync', ['-f', folder], { env: { ...process.env, LC_ALL: 'C' } }, (error) => {
        if (error === null) resolve(true);
        else if (hasCode(error, 'ENOENT') || /unrecognized|invalid option/.test(error.message))
          resolve(false);
        else reject(Object.assign(new Error(error.message, { cause: error }), { code: 'EIO' }));
      });
    }),
};
