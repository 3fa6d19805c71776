import { execFileSync } from 'node:child_process';
import { copyFileSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DEMO_REPOSITORIES, startDemoRegistry } from '../../src/factory/demo/made-release.ts';
import { startFaultProxy } from '../support/fault-proxy.ts';
import { type MadeImages, makeCache } from '../support/made-cache.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const OLD: MadeImages = { 'quay.io/org/one': { base: 90_000, one: 50_000 } };
const NEW: MadeImages = { 'quay.io/org/one': { base: 90_000, 'one-new': 60_000 } };

/** A cache of the demo's release, filled over the network. */
async function demoCache() {
  const folder = tempFolder();
  const { server, release, toolsImage } = await startDemoRegistry(join(folder, 'registry'));
  onTestFinished(() => server.close());
  const asked: string[] = [];
  const proxy = await startFaultProxy(server.host, (path) => {
    asked.push(path);
    return undefined;
  });
  const tools = toolsImage.replace(server.host, proxy.host);
  const set = join(folder, 'imageset.yaml');
  writeFileSync(
    set,
    `apiVersion: mirror.openshift.io/v2alpha1
kind: ImageSetConfiguration
mirror:
  additionalImages:
    - name: ${proxy.host}/${DEMO_REPOSITORIES.release}@${release}
    - name: ${tools}
`,
  );
  const cache = join(folder, 'cache');
  expect((await runEdgefab(['precache', set, '--folder', cache, '--insecure'])).status).toBe(0);
  return { folder, cache, asked };
}

test('cache verify --repair fetches what is missing or wrong, and nothing else', async () => {
  const { cache, asked } = await demoCache();
  const blobs = join(cache, 'blobs', 'sha256');
  const [wrong = '', short = '', gone = ''] = readdirSync(blobs);
  const bytes = readFileSync(join(blobs, wrong));
  bytes[5] = (bytes[5] ?? 0) ^ 1;
  writeFileSync(join(blobs, wrong), bytes);
  truncateSync(join(blobs, short), 10);
  rmSync(join(blobs, gone));
  const view = readdirSync(join(cache, 'views', 'dir'), { recursive: true, encoding: 'utf8' }).find((name) =>
    name.endsWith('manifest.json'),
  );
  rmSync(join(cache, 'views', 'dir', view ?? ''));
  writeFileSync(join(cache, 'index.json'), '{}');

  expect((await runEdgefab(['cache', 'verify', cache])).status).toBe(6);
  asked.length = 0;
  const repaired = await runEdgefabJson(['cache', 'verify', cache, '--repair', '--insecure']);
  expect([repaired.status, repaired.document]).toMatchObject([0, { cache: { state: 'complete' } }]);
  const fetched = new Set(asked.flatMap((path) => /sha256:([0-9a-f]{64})$/.exec(path)?.[1] ?? []));
  expect([...fetched].sort()).toEqual([gone, short, wrong].sort());
  expect((await runEdgefabJson(['cache', 'verify', cache])).document).toMatchObject({
    faults: [],
    strays: [],
  });
});

test('list, diff, export, verify of a part, apply and gc, as a site goes to the next release', async () => {
  const folder = tempFolder();
  const site = await makeCache(folder, OLD, 'site');
  const next = await makeCache(folder, NEW, 'next');
  const siteLock = join(folder, 'site.lock');
  copyFileSync(join(site, 'edgefab.lock'), siteLock);

  const listed = await runEdgefab(['cache', 'list', site]);
  expect(listed.stdout).toMatch(
    /^\s*136\.7 KiB\s+136\.7 KiB\s+additional\s+quay\.io\/org\/one@sha256:[\s\S]*1 images, 2 blobs, .*complete\n$/,
  );
  const list = await runEdgefabJson(['cache', 'list', site]);
  expect(list.document).toMatchObject({ kind: 'CacheList', uniqueBytes: 140_000, heldBytes: 140_000 });

  const diff = await runEdgefabJson(['cache', 'diff', siteLock, next]);
  expect(diff.document).toMatchObject({
    kind: 'CacheDiff',
    addedBytes: 60_000,
    removedBytes: 50_000,
    sharedBytes: 90_000,
  });

  const delta = join(folder, 'delta.tar');
  const exported = await runEdgefabJson([
    'cache',
    'export',
    next,
    '--since',
    siteLock,
    '-o',
    delta,
    '--split',
    '100KB',
  ]);
  expect([exported.status, exported.document]).toMatchObject([
    0,
    { kind: 'CacheExport', blobs: 2, files: [{ path: delta }] },
  ]);
  expect((await runEdgefab(['cache', 'verify', delta])).stdout).toContain('part 1 of 1, 2 blobs');
  const applied = await runEdgefabJson(['cache', 'apply', delta, site]);
  expect([applied.status, applied.document]).toMatchObject([0, { kind: 'CacheApply', images: 1 }]);

  const stale = await runEdgefab(['cache', 'gc', site]);
  expect(stale.stdout).toMatch(/3 stale, 5\d\.\d KiB\n$/);
  expect((await runEdgefab(['cache', 'gc', site, '--rm-stale'])).stdout).toContain(': removed');
  expect((await runEdgefabJson(['cache', 'verify', site])).document).toMatchObject({
    faults: [],
    strays: [],
  });
});

test.each([
  ['a size that is none', ['cache', 'export', '.', '-o', 'x', '--split', 'big'], 2],
  ['no cache to apply to', ['cache', 'apply', 'delta.tar'], 2],
  ['a delta that is not there', ['cache', 'apply', '/nonexistent.tar', '.'], 3],
  ['a folder that is no cache', ['cache', 'list', '/tmp'], 4],
  ['a lock that is not there', ['cache', 'diff', '/nonexistent.lock', '/nonexistent.lock'], 3],
])('%s: a clear end', async (_, args, status) => {
  const finished = await runEdgefab(args);
  expect([finished.status, finished.stderr]).toEqual([status, expect.not.stringContaining('    at ')]);
});

const TOOLS = ['docker-registry', 'jq', 'skopeo', 'sha256sum', 'tar'];
const ready = haveTools(...TOOLS);

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', () => resolve()));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

test.skipIf(!ready)(
  `the shell blocks of docs/cache.md run as written${ready ? '' : ` (SKIPPED: needs ${TOOLS.join(', ')})`}`,
  async () => {
    const { folder, cache } = await demoCache();
    const out = join(folder, 'delta.tar');
    expect((await runEdgefab(['cache', 'export', cache, '-o', out])).status).toBe(0);
    const blocks = [...readFileSync('docs/cache.md', 'utf8').matchAll(/^```sh\n(.*?)^```$/gms)].map(
      ([, text = '']) => text,
    );
    expect(blocks.length).toBeGreaterThanOrEqual(8);
    const env = { ...process.env, PORT: String(await freePort()), OTEL_TRACES_EXPORTER: 'none' };
    const said = blocks.map((block) =>
      execFileSync('bash', ['-euo', 'pipefail', '-c', block], { cwd: folder, encoding: 'utf8', env }),
    );
    const [state = '', images = '', , content = '', views = '', served = ''] = said;
    const [complete, , lock] = state.replace('sha256:', '\n').split('\n');
    expect(complete).toBe('complete');
    expect(state.split(lock ?? '?')).toHaveLength(3);
    expect(images.trim().split('\n')).toHaveLength(2);
    expect(content).toMatch(/^(?:\d+ sha256:[0-9a-f]{64}\n)+$/);
    // One view for each manifest that can be asked for.
    expect(views.trim().split('\n').length).toBeGreaterThanOrEqual(2);
    expect(served.trim().split('\n')).toHaveLength(views.trim().split('\n').length);
    expect(served).toContain(`127.0.0.1:${env.PORT}/127.0.0.1__`);
  },
);
