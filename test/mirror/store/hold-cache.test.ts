import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { expect, onTestFinished, test } from 'vitest';
import { holdCache } from '../../../src/mirror/store/hold-cache.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { makeTestHost } from '../../support/test-host.ts';

const HOLD = new URL('../../../src/mirror/store/hold-cache.ts', import.meta.url).href;

/** A process that takes the cache, says so, and stays. */
const OWNER = `
  const { holdCache } = await import(${JSON.stringify(HOLD)});
  try {
    globalThis.held = await holdCache(process.argv[1], 'precache', { now: () => new Date() });
    console.log('held');
    setInterval(() => {}, 1000);
  } catch (error) {
    console.log(error.code);
  }
`;

async function start(
  folder: string,
  wrapper: readonly string[] = [],
): Promise<{ child: ChildProcess; said: string }> {
  const [program = '', ...args] = [
    ...wrapper,
    process.execPath,
    '--input-type=module',
    '--no-warnings',
    '-e',
    OWNER,
    folder,
  ];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { child, said: said.toString().trim() };
}

test('a second run is refused, naming who has it and for how long', async () => {
  const folder = tempFolder();
  const host = makeTestHost();
  const held = await holdCache(folder, 'precache', host);
  host.advance(3 * 60_000);
  await expect(holdCache(folder, 'cache gc', host)).rejects.toMatchObject({
    code: 'CACHE_BUSY',
    exitCode: 4,
    message: `the cache at ${folder} is in use: edgefab precache, process ${process.pid} on ${hostname()}, has been running for 3 min`,
  });
  await held[Symbol.asyncDispose]();
  await (await holdCache(folder, 'cache gc', host))[Symbol.asyncDispose]();
  expect(readdirSync(`${folder}/tmp`)).toEqual(['lock']);
});

test('kill -9 of the owner frees the cache, with nothing to clean up', async () => {
  const folder = tempFolder();
  const { child, said } = await start(folder);
  expect(said).toBe('held');
  await expect(holdCache(folder, 'cache gc', makeTestHost())).rejects.toMatchObject({
    code: 'CACHE_BUSY',
    message: expect.stringContaining(`process ${child.pid} on`),
  });
  child.kill('SIGKILL');
  await once(child, 'exit');
  await (await holdCache(folder, 'cache gc', makeTestHost()))[Symbol.asyncDispose]();
});

const canUnshare = spawnSync('unshare', ['-m', '-n', '-p', '-u', '-i', '--fork', 'true']).status === 0;

test.skipIf(!canUnshare)(
  `a container (namespaces of its own) is kept out too${canUnshare ? '' : ' (SKIPPED: needs root and unshare)'}`,
  async () => {
    const folder = tempFolder();
    const held = await holdCache(folder, 'precache', makeTestHost());
    const container = ['unshare', '-m', '-n', '-p', '-u', '-i', '--fork', '--kill-child'];
    expect((await start(folder, container)).said).toBe('CACHE_BUSY');
    await held[Symbol.asyncDispose]();
    expect((await start(folder, container)).said).toBe('held');
    await expect(holdCache(folder, 'cache gc', makeTestHost())).rejects.toMatchObject({ code: 'CACHE_BUSY' });
  },
);
