import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { gcCache } from '../../../src/factory/gc-cache.ts';
import { openStore } from '../../../src/mirror/store/store.ts';
import { verifyCache } from '../../../src/mirror/store/verify-cache.ts';
import { digestHex } from '../../../src/oci/digest.ts';
import { madeLock, makeCache } from '../../support/made-cache.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { makeTestHost } from '../../support/test-host.ts';

const OLD = { 'quay.io/org/old': { shared: 4000, old: 5000 }, 'quay.io/org/both': { shared: 4000 } };
const NEW = { 'quay.io/org/both': { shared: 4000 }, 'quay.io/new/new': { shared: 4000 } };

/** A cache of two images that once held another, with what dead runs leave. */
async function usedCache(): Promise<string> {
  const cache = await makeCache(tempFolder(), OLD);
  await makeCache(join(cache, '..'), NEW);
  const hex = (letter: string): string => letter.repeat(64);
  writeFileSync(join(cache, 'tmp', `${hex('a')}.partial`), 'x'.repeat(10));
  mkdirSync(join(cache, 'tmp', `view-${hex('b')}-123`));
  writeFileSync(join(cache, 'edgefab.lock.123.tmp'), 'half');
  writeFileSync(join(cache, 'blobs', 'sha256', `${hex('c')}.123.tmp`), 'half');
  return cache;
}

test('what the lock does not name is found, and stays until it is to go', async () => {
  const cache = await usedCache();
  const before = readdirSync(cache, { recursive: true }).length;
  const stale = await gcCache(cache, false, makeTestHost());
  expect(stale.map(({ kind }) => kind).sort()).toEqual([
    'blob',
    'blob',
    'partial',
    'temporary',
    'temporary',
    'temporary',
    'view',
  ]);
  // The lock of the run itself.
  expect(readdirSync(cache, { recursive: true })).toHaveLength(before + 1);

  await gcCache(cache, true, makeTestHost());
  const report = await verifyCache(cache, { parallel: 1 });
  expect([report.faults, report.strays]).toEqual([[], []]);
  expect(existsSync(join(cache, 'views', 'dir', 'quay.io', 'org', 'both'))).toBe(false);
  expect(readdirSync(join(cache, 'views', 'dir', 'quay.io', 'org')).map((name) => name.slice(0, 4))).toEqual([
    'both',
  ]);
  expect(readdirSync(join(cache, 'tmp'))).toEqual(['lock']);
  expect(await gcCache(cache, false, makeTestHost())).toEqual([]);
});

test('an incomplete cache keeps what its new lock can go on from', async () => {
  const cache = await makeCache(tempFolder(), OLD);
  const lock = madeLock({ 'quay.io/org/next': { shared: 4000, next: 900 } });
  await (await openStore(cache, { writer: 'edgefab/test', sectorBytes: 512 })).begin(lock);
  const partials = lock.images.flatMap(({ blobs }) =>
    blobs.map(({ digest }) => `${digestHex(digest)}.partial`),
  );
  for (const name of partials) writeFileSync(join(cache, 'tmp', name), 'begun');
  const stale = await gcCache(cache, true, makeTestHost());
  // One of the two is held whole, so its partial is of no use.
  expect(stale.filter(({ kind }) => kind === 'partial').map(({ path }) => path)).toEqual([
    join('tmp', partials[0] ?? ''),
  ]);
  const [image] = lock.images;
  expect(
    existsSync(
      join(cache, 'blobs', 'sha256', digestHex(image?.blobs[0]?.digest ?? (lock.inputs.wanted as never))),
    ),
  ).toBe(true);
});

test('a cache whose lock was exchanged is refused: everything would look stale', async () => {
  const cache = await makeCache(tempFolder(), OLD);
  const file = join(cache, 'edgefab.lock');
  writeFileSync(file, readFileSync(file, 'utf8').replace('quay.io/org/old', 'quay.io/org/other'));
  await expect(gcCache(cache, true, makeTestHost())).rejects.toMatchObject({ code: 'CACHE_INCOMPLETE' });
});
