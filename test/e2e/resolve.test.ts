import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseLock } from '../../src/mirror/resolve/lock.ts';
import { OC_MIRROR_FOLDER, type ServedWorld, serveOcMirrorWorld } from '../support/oc-mirror-world.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

const folder = mkdtempSync(join(tmpdir(), 'edgefab-test-'));
let world: ServedWorld;
let graph: string;

beforeAll(async () => {
  world = await serveOcMirrorWorld(folder);
  graph = join(folder, 'graph.json');
  const saved = readFileSync(join(OC_MIRROR_FOLDER, 'graph', 'amd64-stable-4.18.json'), 'utf8');
  writeFileSync(graph, world.expand(saved));
});
afterAll(async () => {
  await world.close();
  rmSync(folder, { recursive: true });
});

function caseFile(name: string): string {
  const text = readFileSync(join(OC_MIRROR_FOLDER, 'cases', name, 'imageset.yaml'), 'utf8');
  const file = join(tempFolder(), 'imageset.yaml');
  writeFileSync(file, world.expand(text));
  return file;
}

function command(file: string, lock: string, ...more: string[]): string[] {
  return ['resolve', file, '-o', lock, '--insecure', '--insecure-skip-signatures', '--graph', graph, ...more];
}

describe('edgefab resolve', () => {
  test('writes a lock, keeps it, says when it is stale, and makes the same bytes again', async () => {
    const set = caseFile('123-everything-v2');
    const lock = join(tempFolder(), 'edgefab.lock');
    const first = await runEdgefabJson(command(set, lock));
    expect(first.stderr).toContain('without a signature');
    expect(first.document).toMatchObject({ kind: 'Resolve', state: 'new', lockPath: lock });
    const text = readFileSync(lock, 'utf8');
    const { images, release } = parseLock(text, lock);
    expect(images.length).toBe(first.document.images);
    expect(release?.version).toMatch(/^4\.18\./);
    const roles = new Set(images.flatMap((image) => image.roles));
    expect([...roles].sort()).toEqual(['additional', 'bootstrap', 'operator', 'os', 'release']);

    expect((await runEdgefabJson(command(set, lock))).document).toMatchObject({ state: 'kept' });
    expect((await runEdgefabJson(command(set, lock, '--update'))).document).toMatchObject({
      state: 'updated',
      lock: first.document.lock,
    });
    expect(readFileSync(lock, 'utf8')).toBe(text);

    writeFileSync(set, readFileSync(set, 'utf8').replace('- name: onlyb', '- name: lamp'));
    const stale = await runEdgefab(command(set, lock));
    expect(stale.status).toBe(4);
    expect(stale.stderr).toMatch(/stale.*\n.*--update/);
    expect(readFileSync(lock, 'utf8')).toBe(text);
  });

  test('--dry-run names the images of the lock, asks for none of their manifests and writes nothing', async () => {
    const set = caseFile('123-everything-v2');
    const lock = join(tempFolder(), 'edgefab.lock');
    await runEdgefabJson(command(set, lock));
    const { images, ignored } = parseLock(readFileSync(lock, 'utf8'), lock);
    const attached = new Set(images.flatMap(({ signatures = [] }) => signatures));

    const cwd = tempFolder();
    const dry = ['resolve', set, '--dry-run', '--insecure', '--insecure-skip-signatures', '--graph', graph];
    const before = world.manifestsAsked();
    const named = await runEdgefab(dry, { cwd });
    const asked = world.manifestsAsked() - before;
    expect(named.status).toBe(0);
    const lines = named.stdout.trim().split('\n');
    expect(lines).toEqual([...new Set(lines)].sort());
    const digests = images.filter(({ digest }) => !attached.has(digest)).map(({ digest }) => digest);
    const untagged = lines.flatMap((line) => /@(sha256:.*)$/.exec(line)?.[1] ?? []);
    expect(digests).toEqual(expect.arrayContaining(untagged));
    expect(lines.length).toBe(digests.length);
    expect(asked).toBeLessThan(lines.length);
    expect(readdirSync(cwd)).toEqual([]);

    const { document } = await runEdgefabJson(dry, { cwd });
    expect(document).toMatchObject({ kind: 'NamedImages', ignored });
    const { images: described } = document as { images: { reference: string; roles: string[] }[] };
    expect(described.map(({ reference }) => reference)).toEqual(lines);
    expect(described.filter(({ roles }) => roles.includes('release')).length).toBe(
      images.filter(({ roles }) => roles.includes('release')).length,
    );
    const both = await runEdgefab([...dry, '-o', lock]);
    expect(both.stderr).toContain('--output');
    expect(both.status).toBe(2);
  });

  test.each([
    ['125-unknown-package-v2', 3, /is not in .*catalog|no package|did you mean/i],
    ['127-unknown-channel-v2', 3, /channel/],
    ['141-bad-cycle-v2', 6, /replace each other in a circle/],
  ])('refuses %s, says what there is, and writes no lock', async (name, status, text) => {
    const lock = join(tempFolder(), 'edgefab.lock');
    const refused = await runEdgefab(command(caseFile(name), lock));
    expect(refused.stderr).toMatch(text);
    expect(refused.status).toBe(status);
    expect(existsSync(lock)).toBe(false);
  });

  test('a graph service that is down is named, and leaves no lock', async () => {
    const lock = join(tempFolder(), 'edgefab.lock');
    const down = await runEdgefab([
      ...['resolve', caseFile('123-everything-v2'), '-o', lock, '--insecure'],
      ...['--graph', 'http://127.0.0.1:9/graph'],
    ]);
    expect(down.stderr).toContain('http://127.0.0.1:9');
    expect(down.status).toBe(8);
    expect(existsSync(lock)).toBe(false);
  });
});

test('edgefab plan IMAGESET counts, measures the line and estimates the RAM', async () => {
  const cache = tempFolder();
  const plan = await runEdgefabJson([
    ...['plan', caseFile('123-everything-v2'), '--folder', cache, '--measure', '--graph', graph],
    ...['--insecure', '--insecure-skip-signatures'],
  ]);
  expect(plan.document).toMatchObject({
    kind: 'Plan',
    lockState: 'new',
    fits: true,
    rate: { measured: true },
  });
  const { livePhase } = plan.document as { livePhase: { images: number; ramBytes: number } };
  expect(livePhase.images).toBeGreaterThan(0);
  expect(livePhase.ramBytes).toBeGreaterThan(0);
  expect(existsSync(join(cache, 'edgefab.lock'))).toBe(false);
});
