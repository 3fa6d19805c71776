import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { DEMO_REPOSITORIES, startDemoRegistry } from '../../src/factory/demo/made-release.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** How much of a blob arrives before the line goes quiet. */
const ARRIVED = 1_500_000;

async function until(what: () => boolean): Promise<void> {
  for (let tries = 0; tries < 400; tries += 1) {
    if (what()) return;
    await delay(25);
  }
  throw new Error('it did not happen within 10 s');
}

test.each([
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGKILL', null],
] as const)(
  '%s in mid-run: what arrived is kept, and the next run goes on from there',
  async (signal, status) => {
    const folder = tempFolder();
    const { server, release } = await startDemoRegistry(join(folder, 'registry'));
    onTestFinished(() => server.close());
    let quiet = true;
    const proxy = await startFaultProxy(server.host, (path) =>
      quiet && path.includes('/blobs/') ? { kind: 'stall', afterBytes: ARRIVED } : undefined,
    );
    const set = join(folder, 'imageset.yaml');
    writeFileSync(
      set,
      `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  additionalImages:\n    - name: ${proxy.host}/${DEMO_REPOSITORIES.release}@${release}\n`,
    );
    const cache = join(folder, 'cache');
    const command = ['precache', set, '--folder', cache, '--insecure'];

    const child = spawn(process.execPath, ['bin/edgefab.js', ...command], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let said = '';
    child.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString();
    });
    const partials = (): string[] =>
      existsSync(join(cache, 'tmp'))
        ? readdirSync(join(cache, 'tmp')).filter((name) => name.endsWith('.partial'))
        : [];
    const held = (): number =>
      partials().reduce((sum, name) => sum + statSync(join(cache, 'tmp', name)).size, 0);
    await until(() => held() >= 1024 * 1024);
    // The rest is on its way from the socket to the next step.
    await delay(500);
    child.kill(signal);
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(status);
    if (status !== null) {
      expect(said).toContain('Run the same command again to go on');
      // A clean end writes down every byte that arrived.
      expect(Math.max(...partials().map((name) => statSync(join(cache, 'tmp', name)).size))).toBe(ARRIVED);
    }
    const kept = held();
    const partialsLeft = partials().length;
    expect((await runEdgefab(['cache', 'verify', cache])).status).toBe(5);

    quiet = false;
    const resumed = await runEdgefabJson(command);
    expect(resumed.status).toBe(0);
    // A killed run may lose the step it was writing, of each partial.
    const lost = status === null ? partialsLeft * 1024 * 1024 : 0;
    expect(resumed.document.heldBytes).toBeGreaterThanOrEqual(kept - lost);
    expect((await runEdgefab(['cache', 'verify', cache])).status).toBe(0);
  },
);
