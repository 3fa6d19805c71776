import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { carryExecutable } from '../../src/mirror/store/carry-executable.ts';
import { writeSiteFile } from '../../src/mirror/store/site-files.ts';
import { makeCache } from '../support/made-cache.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

const MIB = 1024 * 1024;
const IMAGES = {
  'quay.io/org/one': { base: 900_000, one: 50_000 },
  'quay.io/org/two': { base: 900_000, two: 70_000 },
};

const cacheFileOf = (root: string): Record<string, unknown> =>
  JSON.parse(readFileSync(join(root, 'edgefab-cache.json'), 'utf8')) as Record<string, unknown>;

describe('edgefab cache copy', () => {
  test('makes a whole cache with the same id, its views built anew, and copies nothing twice', async () => {
    const folder = tempFolder();
    const from = await makeCache(folder, IMAGES);
    const to = join(folder, 'copy');
    const copied = await runEdgefabJson(['cache', 'copy', from, to]);
    expect(copied.status).toBe(0);
    expect(copied.document).toMatchObject({ kind: 'CacheCopy', images: 2, heldBytes: 0 });
    expect(cacheFileOf(to)).toMatchObject({ cacheId: cacheFileOf(from).cacheId, state: 'complete' });
    expect(await runEdgefab(['cache', 'verify', to])).toMatchObject({ status: 0 });
    const { document } = await runEdgefabJson(['cache', 'copy', from, to]);
    expect(document).toMatchObject({ copiedBytes: 0 });
    expect(readdirSync(join(to, 'tmp')).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  test('takes along what sticks have no room for, and the program itself', async () => {
    const folder = tempFolder();
    const from = await makeCache(folder, IMAGES);
    const bytes = Buffer.from('a tool that is large');
    const hex = createHash('sha256').update(bytes).digest('hex');
    await writeSiteFile(from, hex, bytes);
    const program = join(folder, 'program');
    writeFileSync(program, 'not really a program');
    await carryExecutable(from, program);
    const to = join(folder, 'copy');
    expect(await runEdgefab(['cache', 'copy', from, to])).toMatchObject({ status: 0 });
    expect(readFileSync(join(to, 'files', 'sha256', hex)).equals(bytes)).toBe(true);
    expect(statSync(join(to, 'edgefab')).mode & 0o777).toBe(0o755);
    expect(cacheFileOf(to).executable).toEqual(cacheFileOf(from).executable);
    expect(await runEdgefab(['cache', 'verify', to])).toMatchObject({ status: 0 });

    writeFileSync(join(from, 'files', 'sha256', hex), 'damaged');
    const damaged = await runEdgefab(['cache', 'copy', from, join(folder, 'second')]);
    expect(damaged.status).toBe(6);
    expect(damaged.stderr).toContain(hex);
    expect(existsSync(join(folder, 'second', 'edgefab-cache.json'))).toBe(false);
  });

  test('killed, it goes on where it stopped', async () => {
    const folder = tempFolder();
    const from = await makeCache(folder, {
      'quay.io/org/large': Object.fromEntries(
        Array.from({ length: 12 }, (_, index) => [`layer-${index}`, 6 * MIB]),
      ),
    });
    const to = join(folder, 'copy');
    const program = join(process.cwd(), 'bin/edgefab.js');
    const child = spawn(process.execPath, [program, 'cache', 'copy', from, to], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    const blobs = join(to, 'blobs', 'sha256');
    while (child.exitCode === null && (!existsSync(blobs) || readdirSync(blobs).length < 2)) await delay(5);
    child.kill('SIGKILL');
    await ended;
    expect(cacheFileOf(to).state).toBe('incomplete');
    const { document, status } = await runEdgefabJson(['cache', 'copy', from, to]);
    expect(status).toBe(0);
    expect(document.heldBytes).toBeGreaterThanOrEqual(6 * MIB);
    expect(document.copiedBytes).toBeLessThan(12 * 6 * MIB);
    expect(await runEdgefab(['cache', 'verify', to])).toMatchObject({ status: 0 });
  });

  test('a damaged original is told by its digest, and the copy never calls itself complete', async () => {
    const folder = tempFolder();
    const from = await makeCache(folder, IMAGES);
    const blobs = join(from, 'blobs', 'sha256');
    const largest =
      readdirSync(blobs).sort((a, b) => statSync(join(blobs, b)).size - statSync(join(blobs, a)).size)[0] ??
      '';
    const bytes = readFileSync(join(blobs, largest));
    bytes[1000] = (bytes[1000] ?? 0) ^ 1;
    writeFileSync(join(blobs, largest), bytes);
    const to = join(folder, 'copy');
    const run = await runEdgefab(['cache', 'copy', from, to]);
    expect(run.status).toBe(6);
    expect(run.stderr).toContain(largest);
    expect(cacheFileOf(to).state).toBe('incomplete');
    expect(existsSync(join(to, 'blobs', 'sha256', largest))).toBe(false);
  });

  test.each<[string, (from: string, folder: string) => string[], number, string]>([
    ['onto itself', (from) => [from, from], 2, 'are one folder'],
    ['into itself', (from) => [from, join(from, 'copy')], 2, 'one is in the other'],
    ['from a folder that is no cache', (from, folder) => [folder, from], 4, 'CACHE_INCOMPLETE'],
  ])('%s is refused', async (_, args, status, text) => {
    const folder = tempFolder();
    const from = await makeCache(folder, IMAGES);
    const run = await runEdgefab(['cache', 'copy', ...args(from, folder)]);
    expect(run.status).toBe(status);
    expect(run.stderr).toContain(text);
  });

  test('an original that is not complete is refused, and nothing is written', async () => {
    const folder = tempFolder();
    const from = await makeCache(folder, IMAGES);
    writeFileSync(
      join(from, 'edgefab-cache.json'),
      JSON.stringify({ ...cacheFileOf(from), state: 'incomplete' }),
    );
    const to = join(folder, 'copy');
    const run = await runEdgefab(['cache', 'copy', from, to]);
    expect(run.status).toBe(4);
    expect(existsSync(to)).toBe(false);
  });

  test('a folder with another layout in it is left alone', async () => {
    const folder = tempFolder();
    const from = await makeCache(folder, IMAGES);
    const to = join(folder, 'copy');
    mkdirSync(to);
    writeFileSync(join(to, 'index.json'), '{}');
    const run = await runEdgefab(['cache', 'copy', from, to]);
    expect(run.status).toBe(4);
    expect(readFileSync(join(to, 'index.json'), 'utf8')).toBe('{}');
    rmSync(to, { recursive: true });
  });
});
