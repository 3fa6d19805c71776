import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { verifyCache } from '../../src/mirror/store/verify-cache.ts';
import { REGISTRY_TOOLS } from '../support/docker-registry.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { startPullWorld } from '../support/pull-world.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';
import { writeImageSet } from '../support/write-image-set.ts';

const ready = haveTools(...REGISTRY_TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs ${REGISTRY_TOOLS.join(', ')})`;

describe.skipIf(!ready)(`a precache that is stopped and continued${skipped}`, () => {
  test('finds its sockets dead, opens new ones, and counts no failure', async () => {
    const world = await startPullWorld({}, 28 * 1024);
    onTestFinished(() => world.registry.close());
    const proxy = await startFaultProxy(world.registry.host, () => undefined);
    const folder = tempFolder();
    const set = join(folder, 'imageset.yaml');
    const { images } = world.lockAt(proxy.host);
    writeImageSet(
      set,
      images.map(({ source, digest }) => `${source}@${digest}`),
    );
    const cache = join(folder, 'cache');
    const rest = ['--insecure', '--retry-times', '0', '--limit-rate', '7M', '--progress', 'json'];
    const child = spawn(process.execPath, ['bin/edgefab.js', 'precache', set, '--folder', cache, ...rest], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const ended = once(child, 'exit');
    for (let tries = 0; tries < 400 && !said.includes('"event":"progress"'); tries += 1) await delay(25);
    // A shell's Ctrl-Z is SIGTSTP, which the kernel does not give to a group without a shell.
    child.kill('SIGSTOP');
    await delay(300);
    proxy.cutAll();
    await delay(3500);
    child.kill('SIGCONT');
    const [status] = (await ended) as [number | null];
    expect([status, status === 0 ? '' : said]).toEqual([0, '']);
    expect(said).toContain('"event":"retry"');
    expect(await verifyCache(cache, { parallel: 2 })).toMatchObject({ faults: [], strays: [] });
  });
});
