import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  cpSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyDelta } from '../../../../src/factory/apply-delta.ts';
import { exportDelta } from '../../../../src/factory/export-delta.ts';
import { encodeTarHeader } from '../../../../src/formats/ustar.ts';
import { lockId } from '../../../../src/mirror/resolve/lock.ts';
import {
  type DeltaMember,
  deltaId,
  encodeDeltaIndex,
  parseDeltaIndex,
} from '../../../../src/mirror/store/delta/delta-index.ts';
import { verifyDelta } from '../../../../src/mirror/store/delta/read-delta.ts';
import { loadCache } from '../../../../src/mirror/store/load-cache.ts';
import { writeSiteFile } from '../../../../src/mirror/store/site-files.ts';
import { verifyCache } from '../../../../src/mirror/store/verify-cache.ts';
import { digestOf } from '../../../../src/oci/digest.ts';
import { type MadeImages, madeLock, makeCache } from '../../../support/made-cache.ts';
import { tempFolder } from '../../../support/temp-folder.ts';
import { makeTestHost } from '../../../support/test-host.ts';

const BASE = { base: 300_000, middle: 100_001 };
const OLD: MadeImages = {
  'quay.io/org/one': { ...BASE, one: 50_000 },
  'quay.io/org/two': { ...BASE, two: 40_000 },
};
const NEW: MadeImages = {
  'quay.io/org/one': { ...BASE, 'one-new': 200_000, small: 3 },
  'quay.io/org/three': { ...BASE, three: 700_000 },
};
const NEW_BYTES = 200_000 + 3 + 700_000;

async function setUp(split?: number) {
  const folder = tempFolder();
  const site = await makeCache(folder, OLD, 'site');
  const factory = await makeCache(folder, NEW, 'factory');
  const { files, plan } = await exportDelta(factory, join(folder, 'delta.tar'), {
    since: madeLock(OLD),
    ...(split === undefined ? {} : { splitBytes: split }),
  });
  return { folder, site, factory, plan, files, paths: files.map(({ path }) => path) };
}

const host = makeTestHost();

/** Everything under a folder with its content, but for what a run leaves in tmp/. */
function snapshot(root: string): Record<string, string> {
  const entries = readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && basename(entry.parentPath) !== 'tmp')
    .map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(entries.sort().map((path) => [path, digestOf(readFileSync(path))]));
}

async function expectNew(site: string): Promise<void> {
  const report = await verifyCache(site, { parallel: 2 });
  expect(report.faults).toEqual([]);
  expect(report.cache).toMatchObject({ lock: lockId(madeLock(NEW)), state: 'complete' });
}

describe('one archive', () => {
  test('carries only what the site lacks, and makes the site what the factory is', async () => {
    const { site, paths, plan } = await setUp();
    const { cacheId } = (await loadCache(site)).cache;
    const manifests = 2;
    expect(plan.blobs).toBe(3 + manifests);
    expect(plan.blobBytes).toBeGreaterThan(NEW_BYTES);
    expect(plan.blobBytes).toBeLessThan(NEW_BYTES + 4096);
    const outcome = await applyDelta(paths, site, {}, host);
    expect(outcome).toMatchObject({ images: 2, copiedBytes: plan.blobBytes, cache: { cacheId } });
    await expectNew(site);
    // Again: nothing is left to copy.
    expect(await applyDelta(paths, site, {}, host)).toMatchObject({ copiedBytes: 0 });
  });

  test('is a tar that tar reads, and its checksum is beside it', async () => {
    const { folder, paths, plan } = await setUp();
    const [path = ''] = paths;
    const names = execFileSync('tar', ['-tf', path], { encoding: 'utf8' }).trim().split('\n');
    expect(names.slice(0, 2)).toEqual(['index.json', 'edgefab.lock']);
    expect(names).toHaveLength(2 + plan.blobs);
    execFileSync('sha256sum', ['--check', '--quiet', 'delta.tar.sha256'], { cwd: folder });
    execFileSync('tar', ['-xf', path, '-C', folder]);
    for (const name of names.slice(2)) {
      expect(
        createHash('sha256')
          .update(readFileSync(join(folder, name)))
          .digest('hex'),
      ).toBe(basename(name));
    }
  });

  test('has the same bytes each time', async () => {
    const { folder, factory, files } = await setUp();
    const again = await exportDelta(factory, join(folder, 'again.tar'), { since: madeLock(OLD) });
    expect(again.files[0]?.sha256).toBe(files[0]?.sha256);
  });

  test('without a lock to start from makes a cache out of nothing', async () => {
    const { folder, factory } = await setUp();
    const { files } = await exportDelta(factory, join(folder, 'whole.tar'), {});
    await applyDelta([files[0]?.path ?? ''], join(folder, 'fresh'), {}, host);
    await expectNew(join(folder, 'fresh'));
  });

  test('never replaces a file', async () => {
    const { folder, factory } = await setUp();
    const again = exportDelta(factory, join(folder, 'delta.tar'), { since: madeLock(OLD) });
    await expect(again).rejects.toMatchObject({ code: 'TARGET_EXISTS' });
  });

  test('is not written when a blob of the cache is wrong, and nothing is left', async () => {
    const { folder, factory, plan } = await setUp();
    const [member] = plan.index.parts[0] ?? [];
    const blob = join(factory, 'blobs', 'sha256', member?.digest.slice(7) ?? '');
    const file = openSync(blob, 'r+');
    writeSync(file, 'X', 1000);
    closeSync(file);
    const before = readdirSync(folder).sort();
    const again = exportDelta(factory, join(folder, 'wrong.tar'), { since: madeLock(OLD) });
    await expect(again).rejects.toMatchObject({ code: 'BLOB_DIGEST_MISMATCH', exitCode: 6 });
    expect(readdirSync(folder).sort()).toEqual(before);
  });
});

describe('files that boot sticks have no room for', () => {
  const TOOL = Buffer.alloc(300_000, 'a tool of some site ');
  const HEX = createHash('sha256').update(TOOL).digest('hex');
  const OTHER = Buffer.from('another');

  async function withFiles(split?: number) {
    const made = await setUp();
    await writeSiteFile(made.factory, HEX, TOOL);
    await writeSiteFile(made.factory, createHash('sha256').update(OTHER).digest('hex'), OTHER);
    const exported = await exportDelta(made.factory, join(made.folder, 'with-files.tar'), {
      since: madeLock(OLD),
      ...(split === undefined ? {} : { splitBytes: split }),
    });
    return { ...made, ...exported, paths: exported.files.map(({ path }) => path) };
  }

  test.each([undefined, 150_000])('go along, each once, in parts of %s bytes too', async (split) => {
    const { site, paths, plan } = await withFiles(split);
    expect(plan).toMatchObject({ siteFiles: 2, siteFileBytes: TOOL.length + OTHER.length, blobs: 5 });
    const reports = await Promise.all(paths.map((path) => verifyDelta(path, {})));
    expect(reports.reduce((sum, { siteFiles }) => sum + siteFiles, 0)).toBe(split === undefined ? 2 : 4);
    const outcome = await applyDelta(paths, site, {}, host);
    expect(outcome.copiedBytes).toBe(plan.blobBytes + plan.siteFileBytes);
    await expectNew(site);
    expect(readFileSync(join(site, 'files', 'sha256', HEX)).equals(TOOL)).toBe(true);
    expect(readdirSync(join(site, 'files', 'sha256'))).toHaveLength(2);
    expect(await applyDelta(paths, site, {}, host)).toMatchObject({ copiedBytes: 0 });
    rmSync(join(site, 'files', 'sha256', HEX));
    expect(await applyDelta(paths, site, {}, host)).toMatchObject({ copiedBytes: TOOL.length });
  });

  test('are hashed on their way, out and in', async () => {
    const { site, factory, folder, paths } = await withFiles();
    const path = join(factory, 'files', 'sha256', HEX);
    const damaged = Buffer.from(TOOL);
    damaged[1000] = 0;
    writeFileSync(path, damaged);
    await expect(exportDelta(factory, join(folder, 'wrong.tar'), {})).rejects.toMatchObject({
      code: 'BLOB_DIGEST_MISMATCH',
      message: expect.stringContaining(path),
      suggestions: [expect.stringContaining('--spill')],
    });
    const [archive = ''] = paths;
    const bytes = readFileSync(archive);
    bytes[bytes.indexOf('a tool of some site') + 5000] = 0;
    writeFileSync(archive, bytes);
    const wrong = { code: 'DELTA_INVALID', message: expect.stringContaining(`files/sha256/${HEX}`) };
    await expect(verifyDelta(archive, {})).rejects.toMatchObject(wrong);
    await expect(applyDelta(paths, site, {}, host)).rejects.toMatchObject(wrong);
    expect(existsSync(join(site, 'files', 'sha256', HEX))).toBe(false);
  });

  test('are no blobs: one said to be the other is refused', async () => {
    const { site, paths } = await withFiles();
    const [archive = ''] = paths;
    const text = readFileSync(archive).toString('latin1');
    // As long as before, so that nothing but the id is wrong.
    writeFileSync(
      archive,
      text.replace(/,\s*"siteFile": true/, (found) => ' '.repeat(found.length)),
      'latin1',
    );
    const changed = { code: 'DELTA_INVALID', message: expect.stringContaining('it was changed') };
    await expect(applyDelta(paths, site, {}, host)).rejects.toMatchObject(changed);
  });
});

describe('parts', () => {
  test.each([100_000, 250_000, 800_000])(
    'of at most %d bytes hold everything, each checkable alone',
    async (split) => {
      const { site, files, paths, plan } = await setUp(split);
      expect(files.length).toBeGreaterThan(1);
      for (const { path, sizeBytes } of files) {
        expect(statSync(path).size).toBe(sizeBytes);
        expect(sizeBytes).toBeLessThanOrEqual(split);
      }
      const reports = await Promise.all(paths.map((path) => verifyDelta(path, {})));
      expect(reports.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(plan.blobBytes);
      await applyDelta([...paths].reverse(), site, {}, host);
      await expectNew(site);
    },
  );

  test('one after the other: the old release stays whole until the last is in', async () => {
    const { site, paths } = await setUp(250_000);
    for (const path of paths.slice(0, -1)) {
      await expect(applyDelta([path], site, {}, host)).rejects.toMatchObject({
        code: 'DELTA_INCOMPLETE',
        exitCode: 5,
      });
      const report = await verifyCache(site, { parallel: 1 });
      expect(report.faults).toEqual([]);
      expect(report.cache.lock).toBe(lockId(madeLock(OLD)));
    }
    await applyDelta(paths.slice(-1), site, {}, host);
    await expectNew(site);
  });

  test('of a cut blob in the wrong order are refused, and nothing is spoilt', async () => {
    const { site, paths } = await setUp(250_000);
    await expect(applyDelta([paths[1] ?? ''], site, {}, host)).rejects.toMatchObject({
      code: 'DELTA_INCOMPLETE',
      message: expect.stringContaining('the cache has 0'),
    });
    await applyDelta(paths, site, {}, host);
    await expectNew(site);
  });

  test('of two deltas do not mix, nor one part twice', async () => {
    const { folder, site, factory, paths } = await setUp(250_000);
    const other = await exportDelta(factory, join(folder, 'other.tar'), {});
    await expect(
      applyDelta([paths[0] ?? '', other.files[0]?.path ?? ''], site, {}, host),
    ).rejects.toMatchObject({ code: 'DELTA_INVALID' });
    await expect(applyDelta([paths[0] ?? '', paths[0] ?? ''], site, {}, host)).rejects.toMatchObject({
      message: expect.stringContaining('is the same part'),
    });
  });

  test('too small for their index are refused with the least size', async () => {
    await expect(setUp(2000)).rejects.toMatchObject({ code: 'USAGE_INVALID' });
  });
});

test('an interrupted apply leaves the old release whole, and goes on', async () => {
  const { site, paths } = await setUp();
  const before = snapshot(site);
  const stop = new AbortController();
  let copied = 0;
  const first = applyDelta(
    paths,
    site,
    {
      signal: stop.signal,
      onBytes: (bytes) => {
        copied += bytes;
        if (copied > 700_000) stop.abort();
      },
    },
    host,
  );
  await expect(first).rejects.toMatchObject({ name: 'AbortError' });
  expect(snapshot(site)).toMatchObject(before);
  const second = await applyDelta(paths, site, {}, host);
  expect(second.copiedBytes).toBeLessThan(300_000);
  await expectNew(site);
});

test('a cache that lacks what the delta takes for granted is refused, naming how many and which', async () => {
  const { site, paths } = await setUp();
  const [image] = madeLock(OLD).images;
  const base = image?.blobs[0]?.digest ?? '';
  rmSync(join(site, 'blobs', 'sha256', base.slice(7)));
  const before = snapshot(site);
  await expect(applyDelta(paths, site, {}, host)).rejects.toMatchObject({
    code: 'DELTA_BASE_MISSING',
    exitCode: 4,
    message: expect.stringMatching(
      new RegExp(`lacks 1 blobs[\\s\\S]*${base}, 300000 bytes, of quay.io/org/one@`),
    ),
  });
  expect(snapshot(site)).toEqual(before);
});

/** Rebuilds an archive with another index, as somebody who means harm would. */
function forge(
  path: string,
  change: (members: DeltaMember[]) => DeltaMember[],
  body: Uint8Array = new Uint8Array(),
): void {
  const bytes = readFileSync(path);
  const size = Number.parseInt(bytes.toString('latin1', 124, 135), 8);
  const index = parseDeltaIndex(bytes.subarray(512, 512 + size), path);
  const forged = { ...index, parts: [change([...(index.parts[0] ?? [])])] };
  const text = Buffer.from(encodeDeltaIndex({ ...forged, id: deltaId(forged) }));
  const lock = bytes.indexOf(encodeTarHeader({ name: 'edgefab.lock', sizeBytes: index.lockBytes }));
  const lockEnd = lock + 512 + Math.ceil(index.lockBytes / 512) * 512;
  const parts = [tarFile('index.json', text), bytes.subarray(lock, lockEnd), body, Buffer.alloc(1024)];
  writeFileSync(path, Buffer.concat(parts));
}

/** Changes the header of the first blob in an archive, its checksum made right. */
function reheader(path: string, change: (header: Buffer) => void): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf('blobs/sha256/', bytes.indexOf('edgefab.lock\0'));
  const header = bytes.subarray(at, at + 512);
  change(header);
  seal(header);
  writeFileSync(path, bytes);
}

function rename(header: Buffer, name: string): void {
  header.fill(0, 0, 100).write(name, 0);
}

function seal(header: Buffer): void {
  const sum = header.fill(' ', 148, 156).reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
}

function tarFile(name: string, content: Uint8Array): Buffer {
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([encodeTarHeader({ name, sizeBytes: content.length }), content, padding]);
}

const EVIL = Buffer.from('evil');
const evil = { digest: digestOf(EVIL), sizeBytes: EVIL.length };

describe('hostile archives', () => {
  test.each<[string, RegExp, (path: string) => void]>([
    ['is cut short', /the copy is not whole/, (path) => truncateSync(path, statSync(path).size - 600)],
    ['has bytes after its end', /the copy is not whole/, (path) => appendFileSync(path, Buffer.alloc(512))],
    ['is empty', /is no part of a delta/, (path) => truncateSync(path, 0)],
    ['is something else', /is not a tar/, (path) => writeFileSync(path, Buffer.alloc(100_000, 'x'))],
    ['has a changed index', /is of part 2 of 1/, (path) => edit(path, '"part": 1', '"part": 2')],
    [
      'has an index with another id',
      /it was changed/,
      (path) => edit(path, '"since": "sha256:', '"since": "sha256:0'),
    ],
    ['has a changed lock', /edgefab.lock has digest/, (path) => edit(path, 'a test', 'a rest')],
    [
      'holds a blob its lock does not name',
      /which its lock does not name/,
      (path) => forge(path, () => [evil], tarFile(`blobs/sha256/${evil.digest.slice(7)}`, EVIL)),
    ],
    [
      'names a blob twice',
      /names blobs\/sha256\/[0-9a-f]+ twice/,
      (path) => forge(path, (m) => [...m, ...m]),
    ],
    [
      'holds a path that leads out',
      /holds ..\/etc\/passwd of/,
      (path) => reheader(path, (h) => rename(h, '../etc/passwd')),
    ],
    [
      'holds an absolute path',
      /holds \/etc\/passwd of/,
      (path) => reheader(path, (h) => rename(h, '/etc/passwd')),
    ],
    ['holds a link', /of type "2", want a file/, (path) => reheader(path, (h) => h.write('2', 156))],
    [
      'holds an extended header',
      /of type "x", want a file/,
      (path) => reheader(path, (h) => h.write('x', 156)),
    ],
    [
      'lies about a size',
      /holds .* of 7 bytes at byte/,
      (path) => reheader(path, (h) => h.write('00000000007', 124)),
    ],
    [
      'has a header of another spelling',
      /does not write/,
      (path) => reheader(path, (h) => h.write('0000777', 100)),
    ],
    [
      'states more bytes than it has',
      /the copy is not whole/,
      (path) => forge(path, (m) => m.map((item) => ({ ...item, sizeBytes: 1e12 }))),
    ],
    [
      'has pieces that do not follow each other',
      /pieces do not follow each other/,
      (path) =>
        forge(path, (m) =>
          m.map((item) => ({ ...item, chunk: { blob: item.digest, blobBytes: item.sizeBytes, offset: 1 } })),
        ),
    ],
  ])('one that %s is refused before anything is written', async (_, message, damage) => {
    const { folder, site, paths } = await setUp();
    const path = join(folder, 'hostile.tar');
    cpSync(paths[0] ?? '', path);
    damage(path);
    const before = snapshot(site);
    await expect(applyDelta([path], site, {}, host)).rejects.toMatchObject({
      code: expect.stringMatching(/^(?:DELTA_INVALID|TAR_INVALID)$/),
      exitCode: 6,
      message: expect.stringMatching(message),
    });
    expect(snapshot(site)).toEqual(before);
  });

  test('one with a wrong byte in a blob ends with status 6, and the blob gets no name', async () => {
    const { site, paths, plan } = await setUp();
    const [path = ''] = paths;
    const [member] = plan.index.parts[0] ?? [];
    const bytes = readFileSync(path);
    const at = bytes.indexOf(
      encodeTarHeader({ name: `blobs/sha256/${member?.digest.slice(7)}`, sizeBytes: member?.sizeBytes ?? 0 }),
    );
    bytes[at + 512 + 1000] = (bytes[at + 512 + 1000] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    await expect(verifyDelta(path, {})).rejects.toMatchObject({ code: 'DELTA_INVALID', exitCode: 6 });
    const before = snapshot(site);
    await expect(applyDelta([path], site, {}, host)).rejects.toMatchObject({ code: 'DELTA_INVALID' });
    expect(snapshot(site)).toEqual(before);
    expect((await verifyCache(site, { parallel: 1 })).faults).toEqual([]);
  });

  test('a piece with a wrong byte is refused too', async () => {
    const { site, paths } = await setUp(250_000);
    const [path = ''] = paths;
    const bytes = readFileSync(path);
    const at = bytes.length - 2000;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(path, bytes);
    await expect(applyDelta(paths, site, {}, host)).rejects.toMatchObject({ code: 'DELTA_INVALID' });
  });
});

function edit(path: string, from: string, to: string): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(from);
  if (at < 0) throw new RangeError(`${from} is not there`);
  bytes.write(to, at);
  writeFileSync(path, bytes);
}
