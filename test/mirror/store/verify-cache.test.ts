import { createHash } from 'node:crypto';
import {
  appendFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { startDemoRegistry } from '../../../src/factory/demo/made-release.ts';
import { precache } from '../../../src/factory/precache.ts';
import { parseLock } from '../../../src/mirror/resolve/lock.ts';
import { resolveImages } from '../../../src/mirror/resolve/resolve.ts';
import { findStale } from '../../../src/mirror/store/gc-cache.ts';
import { dirViewName } from '../../../src/mirror/store/store-paths.ts';
import { verifyCache } from '../../../src/mirror/store/verify-cache.ts';
import { createRegistryClient } from '../../../src/oci/client.ts';
import { digestHex } from '../../../src/oci/digest.ts';
import { digestFor } from '../../support/locked-image.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { makeTestHost } from '../../support/test-host.ts';

async function completeCache(): Promise<string> {
  const folder = tempFolder();
  const { server, releaseImage, toolsImage } = await startDemoRegistry(join(folder, 'registry'));
  onTestFinished(() => server.close());
  const host = makeTestHost();
  const client = createRegistryClient({ credentials: { find: async () => undefined }, insecure: true }, host);
  onTestFinished(() => client.close());
  const images = await resolveImages(
    [
      {
        reference: releaseImage,
        role: 'release',
        requiredBy: 'a test',
      },
      {
        reference: toolsImage,
        role: 'additional',
        requiredBy: 'a test',
      },
    ],
    client,
    { architecture: 'amd64', parallel: 2 },
  );
  const cache = join(folder, 'cache');
  const lock = {
    arch: 'x86_64',
    inputs: { imageSet: digestFor('set'), wanted: digestFor('wanted') },
    images,
  };
  await precache(lock, cache, client, { parallel: 2, retryTimes: 0 }, host);
  return cache;
}

function firstLayer(cache: string): string {
  const lock = parseLock(readFileSync(join(cache, 'edgefab.lock'), 'utf8'), 'edgefab.lock');
  const blob = lock.images.flatMap(({ blobs }) => blobs).sort((a, b) => b.sizeBytes - a.sizeBytes)[0];
  if (blob === undefined) throw new RangeError('the lock has blobs');
  return join('blobs', 'sha256', digestHex(blob.digest));
}

test('a complete cache has no faults, and every byte was read', async () => {
  const cache = await completeCache();
  let read = 0;
  const report = await verifyCache(cache, {
    parallel: 2,
    onBytes: (bytes) => {
      read += bytes;
    },
  });
  expect(report).toMatchObject({ images: 2, faults: [], strays: [], bytes: read });
  expect(read).toBeGreaterThan(8_000_000);
});

test.each([
  [
    'a byte is wrong',
    'digest',
    (path: string) => {
      const bytes = readFileSync(path);
      bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    },
  ],
  ['the file is short', 'size', (path: string) => truncateSync(path, 100)],
  ['the file is long', 'size', (path: string) => appendFileSync(path, 'x')],
  ['the file is gone', 'missing', (path: string) => rmSync(path)],
] as const)('%s: one fault, naming the file and who needs it', async (_, kind, damage) => {
  const cache = await completeCache();
  const path = firstLayer(cache);
  damage(join(cache, path));
  const { faults } = await verifyCache(cache, { parallel: 2 });
  expect(faults).toEqual([expect.objectContaining({ kind, path })]);
  expect(faults[0]?.images.length).toBe(2);
});

test('a stray blob is told and is no fault', async () => {
  const cache = await completeCache();
  writeFileSync(join(cache, 'blobs', 'sha256', 'a'.repeat(64)), 'stray');
  const report = await verifyCache(cache, { parallel: 1 });
  expect(report.faults).toEqual([]);
  expect(report.strays.map(({ path }) => path)).toEqual([join('blobs', 'sha256', 'a'.repeat(64))]);
});

test('files of sites are hashed by their names; what lies among them and is none is told', async () => {
  const cache = await completeCache();
  const folder = join(cache, 'files', 'sha256');
  mkdirSync(folder, { recursive: true });
  const bytes = Buffer.from('a file of a site');
  const hex = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(folder, hex), bytes);
  writeFileSync(join(folder, `${hex}.77.tmp`), 'half');
  const good = await verifyCache(cache, { parallel: 1 });
  expect(good).toMatchObject({ files: 1, faults: [] });
  expect(good.strays.map(({ path }) => path)).toEqual([join('files', 'sha256', `${hex}.77.tmp`)]);
  expect((await findStale(cache)).map(({ path }) => path)).toEqual([
    join('files', 'sha256', `${hex}.77.tmp`),
  ]);
  appendFileSync(join(folder, hex), '!');
  const { faults } = await verifyCache(cache, { parallel: 1 });
  expect(faults).toEqual([
    expect.objectContaining({ kind: 'digest', path: join('files', 'sha256', hex), want: `sha256:${hex}` }),
  ]);
});

test('a view without its manifest, an incomplete state and a changed lock are faults', async () => {
  const cache = await completeCache();
  const lock = parseLock(readFileSync(join(cache, 'edgefab.lock'), 'utf8'), 'edgefab.lock');
  const [image] = lock.images;
  if (image === undefined) throw new RangeError('the lock has images');
  rmSync(join(cache, dirViewName(image.source, image.digest), 'manifest.json'));
  const file = join(cache, 'edgefab-cache.json');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"complete"', '"incomplete"'));
  appendFileSync(join(cache, 'edgefab.lock'), '# a comment changes nothing\n');
  const { faults } = await verifyCache(cache, { parallel: 1 });
  expect(faults.map(({ kind }) => kind).sort()).toEqual(['state', 'view']);
});

test('views are relative links, so that a cache can be mounted anywhere', async () => {
  const cache = await completeCache();
  const lock = parseLock(readFileSync(join(cache, 'edgefab.lock'), 'utf8'), 'edgefab.lock');
  for (const image of lock.images) {
    const view = join(cache, dirViewName(image.source, image.digest));
    for (const name of readdirSync(view)) {
      if (name !== 'version') expect(readlinkSync(join(view, name)).startsWith('../')).toBe(true);
    }
  }
});

test('a folder that is no cache is refused', async () => {
  await expect(verifyCache(tempFolder(), { parallel: 1 })).rejects.toMatchObject({
    code: 'CACHE_INCOMPLETE',
    exitCode: 4,
  });
});
