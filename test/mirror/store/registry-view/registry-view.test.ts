import { generateKeyPairSync } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { applyDelta } from '../../../../src/factory/apply-delta.ts';
import { exportDelta } from '../../../../src/factory/export-delta.ts';
import { gcCache } from '../../../../src/factory/gc-cache.ts';
import { precache } from '../../../../src/factory/precache.ts';
import { repairCache } from '../../../../src/factory/repair-cache.ts';
import { type Lock, lockId } from '../../../../src/mirror/resolve/lock.ts';
import { explainServed } from '../../../../src/mirror/store/registry-view/explain-served.ts';
import { writeRegistryView } from '../../../../src/mirror/store/registry-view/write-registry-view.ts';
import { openStore } from '../../../../src/mirror/store/store.ts';
import { verifyCache } from '../../../../src/mirror/store/verify-cache.ts';
import { type Digest, digestHex, digestOf } from '../../../../src/oci/digest.ts';
import { cachedSignature } from '../../../support/cosign-signature.ts';
import { type CachedImage, lockOfImages, makeImageCache } from '../../../support/image-cache.ts';
import { digestFor } from '../../../support/locked-image.ts';
import { madeLock, makeCache } from '../../../support/made-cache.ts';
import { makeImage, makeManifestList } from '../../../support/made-image.ts';
import { canMount, mountSmallDisk } from '../../../support/small-disk.ts';
import { tempFolder } from '../../../support/temp-folder.ts';
import { makeTestHost } from '../../../support/test-host.ts';

const SOURCE = 'quay.io/org/app';
const VIEW = join('views', 'registry');
const REPOSITORIES = join(VIEW, 'docker', 'registry', 'v2', 'repositories');
const BLOBS = join(VIEW, 'docker', 'registry', 'v2', 'blobs', 'sha256');
const { privateKey: key } = generateKeyPairSync('ec', { namedCurve: 'P-256' });

const offline = {
  getManifest: () => Promise.reject(new Error('no registry is asked')),
  openBlob: () => Promise.reject(new Error('no registry is asked')),
};
const pullOptions = { parallel: 2, retryTimes: 0 };

/** A list with two children, of which the first is kept. */
async function listImage() {
  const layers = [{ seed: 'base', sizeBytes: 3000 }];
  const child = await makeImage({ seed: 'amd64', layers, format: 'docker' });
  const other = await makeImage({ seed: 'arm64', layers, format: 'docker', architecture: 'arm64' });
  return { child, other, list: makeManifestList([child, other], 'docker') };
}

/** Every entry under a folder: a file's content, or where a link leads. */
function entriesOf(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return Object.fromEntries(
    entries
      .filter((entry) => !entry.isDirectory())
      .map((entry) => {
        const path = join(entry.parentPath, entry.name);
        return [relative(folder, path), entry.isFile() ? readFileSync(path, 'utf8') : readlinkSync(path)];
      }),
  );
}

const hex = (digest: Digest): string => digestHex(digest);

describe('what a view consists of', () => {
  test('a tagged list with its kept child, and nothing of the other one', async () => {
    const { list, child } = await listImage();
    const root = await makeImageCache(tempFolder(), [{ source: SOURCE, tag: 'v1', image: list }]);
    const lock = lockOfImages([{ source: SOURCE, tag: 'v1', image: list }]);
    const own = `docker/registry/v2/repositories/${SOURCE}`;
    const pooled = (digest: Digest): [string, string] => [
      `docker/registry/v2/blobs/sha256/${hex(digest).slice(0, 2)}/${hex(digest)}/data`,
      `${'../'.repeat(9)}blobs/sha256/${hex(digest)}`,
    ];
    const [layer] = child.layers;
    if (layer === undefined) throw new RangeError('the image has a layer');
    expect(entriesOf(join(root, VIEW))).toEqual({
      'edgefab-view.json': `${JSON.stringify({ layout: 1, lock: lockId(lock) })}\n`,
      [`${own}/_manifests/revisions/sha256/${hex(list.digest)}/link`]: list.digest,
      [`${own}/_manifests/revisions/sha256/${hex(child.digest)}/link`]: child.digest,
      [`${own}/_manifests/tags/v1/current/link`]: list.digest,
      [`${own}/_manifests/tags/v1/index/sha256/${hex(list.digest)}/link`]: list.digest,
      [`${own}/_layers/sha256/${hex(child.config.digest)}/link`]: child.config.digest,
      [`${own}/_layers/sha256/${hex(layer.digest)}/link`]: layer.digest,
      ...Object.fromEntries([list.digest, child.digest, child.config.digest, layer.digest].map(pooled)),
    });
    for (const data of readdirSync(join(root, BLOBS), { recursive: true, encoding: 'utf8' }))
      expect(existsSync(join(root, BLOBS, data))).toBe(true);
  });

  test('attached signatures: by tag, and by an index for those that name their subject', async () => {
    const { list, child } = await listImage();
    const signatures = [
      cachedSignature({ key, source: SOURCE, subject: child.digest }),
      cachedSignature({ key, source: SOURCE, subject: list.digest, attached: true }),
      // Names what is no image of the lock: nobody would look for it there.
      cachedSignature({ key, source: SOURCE, subject: digestFor('elsewhere'), attached: true }),
    ];
    const images: CachedImage[] = [
      { source: SOURCE, image: list, signatures: signatures.map(({ image }) => image.digest) },
      ...signatures,
    ];
    const root = await makeImageCache(tempFolder(), images);
    const tags = join(root, REPOSITORIES, SOURCE, '_manifests', 'tags');
    expect(readdirSync(tags).sort()).toEqual(
      [`sha256-${hex(child.digest)}.sig`, `sha256-${hex(list.digest)}`].sort(),
    );
    const index = readFileSync(join(tags, `sha256-${hex(list.digest)}`, 'current', 'link'), 'utf8');
    const bytes = readFileSync(join(root, BLOBS, index.slice(7, 9), index.slice(7), 'data'));
    expect(digestOf(bytes)).toBe(index);
    const attached = signatures[1]?.image;
    expect(JSON.parse(bytes.toString())).toEqual({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.index.v1+json',
      manifests: [
        {
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          digest: attached?.digest,
          size: attached?.manifest.length,
          artifactType: 'application/vnd.dev.cosign.artifact.sig.v1+json',
        },
      ],
    });
    for (const reference of [
      list.digest,
      child.digest,
      `sha256-${hex(list.digest)}`,
      `sha256-${hex(child.digest)}.sig`,
    ])
      expect(await explainServed(root, SOURCE, reference)).toBeUndefined();
    expect((await verifyCache(root, { parallel: 1 })).faults).toEqual([]);
  });

  test('two hosts with the same path, and a repository inside another, stay apart', async () => {
    const root = await makeCache(tempFolder(), {
      'quay.io/org/app': { one: 100 },
      'localhost:5000/org/app': { two: 200 },
      'quay.io/org/app/sub': { three: 300 },
    });
    const layers = (repository: string): string[] =>
      readdirSync(join(root, REPOSITORIES, repository, '_layers', 'sha256'));
    expect(layers('quay.io/org/app')).toHaveLength(1);
    expect(layers('localhost__5000/org/app')).not.toEqual(layers('quay.io/org/app'));
    expect(layers('quay.io/org/app/sub')).toHaveLength(1);
  });

  test.each([
    ['source', { source: 'quay.io/../../../../outside' }],
    ['source', { source: 'outside' }],
    ['tag', { tag: '../../../../../../outside' }],
  ])('a hostile %s is refused before anything is written', async (_, rest) => {
    const folder = tempFolder();
    const lock = madeLock({ [SOURCE]: { one: 100 } });
    const hostile: Lock = { ...lock, images: lock.images.map((image) => ({ ...image, ...rest })) };
    const root = join(folder, 'cache');
    const store = await openStore(root, { writer: 'edgefab/test', sectorBytes: 512 });
    const before = readdirSync(folder, { recursive: true });
    await expect(store.begin(hostile)).rejects.toMatchObject({ code: 'REFERENCE_INVALID', exitCode: 3 });
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
    await expect(store.complete(hostile)).rejects.toMatchObject({ code: 'REFERENCE_INVALID' });
    expect(readdirSync(folder, { recursive: true })).toEqual(before);
  });
});

const IMAGES = { [SOURCE]: { base: 1000, own: 500 }, 'quay.io/org/other': { base: 1000, other: 600 } };
const NEXT = { [SOURCE]: { base: 1000, next: 700 } };

async function complete(root: string, images: Parameters<typeof madeLock>[0]): Promise<void> {
  const store = await openStore(root, { writer: 'edgefab/test', sectorBytes: 512 });
  await store.complete(madeLock(images));
}

describe('writing it', () => {
  test('one that is right is left alone, by complete and by a warm run', async () => {
    const root = await makeCache(tempFolder(), IMAGES);
    const before = lstatSync(join(root, VIEW));
    await complete(root, IMAGES);
    const outcome = await precache(madeLock(IMAGES), root, offline, pullOptions, makeTestHost());
    expect(outcome.cache.state).toBe('complete');
    const after = lstatSync(join(root, VIEW));
    expect([after.ino, after.ctimeMs]).toEqual([before.ino, before.ctimeMs]);
  });

  test('a complete cache of before there was one gets it at the next run, with nothing fetched', async () => {
    const root = await makeCache(tempFolder(), IMAGES);
    const entries = entriesOf(join(root, VIEW));
    rmSync(join(root, VIEW), { recursive: true });
    const outcome = await precache(madeLock(IMAGES), root, offline, pullOptions, makeTestHost());
    expect([outcome.result.fetchedBytes, entriesOf(join(root, VIEW))]).toEqual([0, entries]);
  });

  test('that of another lock is replaced whole, whatever a killed run left', async () => {
    const folder = tempFolder();
    const root = await makeCache(folder, IMAGES);
    for (const name of ['registry-view', 'registry-view-replaced']) {
      mkdirSync(join(root, 'tmp', name, 'docker'), { recursive: true });
      writeFileSync(join(root, 'tmp', name, 'docker', 'half'), '');
    }
    await makeCache(folder, NEXT);
    const fresh = await makeCache(folder, NEXT, 'fresh');
    expect(entriesOf(join(root, VIEW))).toEqual(entriesOf(join(fresh, VIEW)));
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  });

  test('killed between the two renames, it is made again', async () => {
    const root = await makeCache(tempFolder(), IMAGES);
    const entries = entriesOf(join(root, VIEW));
    renameSync(join(root, VIEW), join(root, 'tmp', 'registry-view-replaced'));
    await complete(root, IMAGES);
    expect(entriesOf(join(root, VIEW))).toEqual(entries);
  });

  test.each([['torn', '{"layout":1,'], ['of another layout', ''] as const])(
    'with a stamp that is %s, it is made again',
    async (_, text) => {
      const root = await makeCache(tempFolder(), IMAGES);
      const stamp = join(root, VIEW, 'edgefab-view.json');
      const right = readFileSync(stamp, 'utf8');
      writeFileSync(stamp, text === '' ? right.replace('"layout":1', '"layout":0') : text);
      await complete(root, IMAGES);
      expect(readFileSync(stamp, 'utf8')).toBe(right);
    },
  );

  test('a delta brings that of its lock', async () => {
    const folder = tempFolder();
    const site = await makeCache(folder, IMAGES, 'site');
    const next = await makeCache(folder, NEXT, 'next');
    const { files } = await exportDelta(next, join(folder, 'delta.tar'), { since: madeLock(IMAGES) });
    await applyDelta(
      files.map(({ path }) => path),
      site,
      {},
      makeTestHost(),
    );
    expect(entriesOf(join(site, VIEW))).toEqual(entriesOf(join(next, VIEW)));
  });
});

describe('gc', () => {
  test('takes that of an earlier lock along with its blobs, and leaves that of this lock', async () => {
    const root = await makeCache(tempFolder(), IMAGES);
    const stale = async (): Promise<string[]> =>
      (await gcCache(root, true, makeTestHost())).map(({ path }) => path);
    expect(await stale()).toEqual([]);
    await (await openStore(root, { writer: 'edgefab/test', sectorBytes: 512 })).begin(madeLock(NEXT));
    expect(await stale()).toContain(VIEW);
    expect(existsSync(join(root, VIEW))).toBe(false);
    expect(await stale()).toEqual([]);
  });
});

describe('verify', () => {
  const lock = madeLock(IMAGES);
  const [image] = lock.images;
  if (image === undefined) throw new RangeError('the lock has images');
  const revision = join(REPOSITORIES, SOURCE, '_manifests', 'revisions', 'sha256', hex(image.digest), 'link');
  const layer = hex(image.blobs[1]?.digest ?? image.digest);
  const layerLink = join(REPOSITORIES, SOURCE, '_layers', 'sha256', layer, 'link');
  const data = join(BLOBS, layer.slice(0, 2), layer, 'data');
  const replace = (path: string, write: (path: string) => void): void => {
    rmSync(path, { recursive: true });
    write(path);
  };

  test.each<[string, string, string, (path: string) => void]>([
    ['a link that is gone', layerLink, 'nothing', (path) => rmSync(path)],
    ['a torn link', layerLink, 'something else', (path) => replace(path, (at) => writeFileSync(at, ''))],
    [
      'a link to something else',
      revision,
      'something else',
      (path) => replace(path, (at) => writeFileSync(at, digestFor('else'))),
    ],
    [
      'a link with more in it',
      layerLink,
      'something else',
      (path) => writeFileSync(path, `${readFileSync(path, 'utf8')}\n`),
    ],
    ['a folder for a link', layerLink, 'not a file', (path) => replace(path, mkdirSync)],
    ['a blob that is gone', data, 'nothing', (path) => rmSync(path)],
    [
      'a blob from elsewhere',
      data,
      'a link to /etc/hostname',
      (path) => replace(path, (at) => symlinkSync('/etc/hostname', at)),
    ],
    ['a blob that is a copy', data, 'something else', (path) => replace(path, (at) => writeFileSync(at, ''))],
    [
      'a tag nobody locked',
      join(REPOSITORIES, SOURCE, '_manifests', 'tags'),
      'a folder',
      (path) => mkdirSync(join(path, 'evil', 'current'), { recursive: true }),
    ],
    [
      'a file nobody put there',
      join(REPOSITORIES, SOURCE, 'stray'),
      'a file',
      (path) => writeFileSync(path, ''),
    ],
    [
      'no view',
      join(VIEW, 'edgefab-view.json'),
      'nothing',
      (path) => rmSync(dirname(path), { recursive: true }),
    ],
    [
      'a view of another lock',
      join(VIEW, 'edgefab-view.json'),
      `a view of ${digestFor('other')}`,
      (path) => writeFileSync(path, JSON.stringify({ layout: 1, lock: digestFor('other') })),
    ],
  ])('%s is told, and repaired with nothing fetched', async (_, path, got, damage) => {
    const root = await makeCache(tempFolder(), IMAGES);
    const whole = entriesOf(join(root, VIEW));
    damage(join(root, path));
    const { faults, strays } = await verifyCache(root, { parallel: 1 });
    // Links of one digest are one file under several names, where they were not replaced.
    expect(faults).toContainEqual(expect.objectContaining({ kind: 'view', path, got }));
    expect(new Set(faults.map(({ kind }) => kind))).toEqual(new Set(['view']));
    expect(strays).toEqual([]);
    const { result } = await repairCache(root, faults, offline, pullOptions, makeTestHost());
    expect([result.fetchedBytes, entriesOf(join(root, VIEW))]).toEqual([0, whole]);
    expect((await verifyCache(root, { parallel: 1 })).faults).toEqual([]);
  });
});

describe('explainServed', () => {
  test('names the first path that is not there', async () => {
    const root = await makeCache(tempFolder(), IMAGES);
    const [image] = madeLock(IMAGES).images;
    if (image === undefined) throw new RangeError('the lock has images');
    const explain = (reference: string): Promise<string | undefined> =>
      explainServed(root, SOURCE, reference);
    const own = join(REPOSITORIES, SOURCE);
    expect(await explain(image.digest)).toBeUndefined();
    expect(await explain('v1')).toBe(join(own, '_manifests', 'tags', 'v1', 'current', 'link'));
    const unknown = digestFor('unknown');
    expect(await explain(unknown)).toBe(join(own, '_manifests', 'revisions', 'sha256', hex(unknown), 'link'));
    await expect(explain('../x')).rejects.toMatchObject({ code: 'REFERENCE_INVALID' });
    const [config, layer] = image.blobs.map(({ digest }) => hex(digest));
    if (config === undefined || layer === undefined) throw new RangeError('the image has two blobs');
    // From the end to the beginning: each is found before the one damaged earlier.
    const blob = join(root, 'blobs', 'sha256', layer);
    writeFileSync(blob, 'short');
    expect(await explain(image.digest)).toBe(join(BLOBS, layer.slice(0, 2), layer, 'data'));
    rmSync(join(root, own, '_layers', 'sha256', layer, 'link'));
    expect(await explain(image.digest)).toBe(join(own, '_layers', 'sha256', layer, 'link'));
    rmSync(join(root, 'blobs', 'sha256', config));
    expect(await explain(image.digest)).toBe(join(BLOBS, config.slice(0, 2), config, 'data'));
    const manifest = hex(image.digest);
    writeFileSync(join(root, 'blobs', 'sha256', manifest), '{}');
    expect(await explain(image.digest)).toBe(join(BLOBS, manifest.slice(0, 2), manifest, 'data'));
  });

  test('a list without any child is not whole', async () => {
    const { list, child, other } = await listImage();
    const root = await makeImageCache(tempFolder(), [{ source: SOURCE, image: list }]);
    expect(await explainServed(root, SOURCE, list.digest)).toBeUndefined();
    expect(await explainServed(root, SOURCE, other.digest)).toContain(hex(other.digest));
    const link = join(REPOSITORIES, SOURCE, '_manifests', 'revisions', 'sha256', hex(child.digest), 'link');
    rmSync(join(root, link));
    expect(await explainServed(root, SOURCE, list.digest)).toBe(link);
  });
});

test.skipIf(!canMount)(
  `a disk that is full in the middle keeps the view it had${canMount ? '' : ' (SKIPPED: needs root, loop devices)'}`,
  async () => {
    const disk = mountSmallDisk(4 * 1024 * 1024);
    const root = await makeCache(disk, IMAGES);
    const before = entriesOf(join(root, VIEW));
    const many = Object.fromEntries(
      Array.from({ length: 300 }, (_, at) => [`quay.io/org/${at}`, { [at]: 1 }]),
    );
    await expect(writeRegistryView(root, madeLock(many))).rejects.toMatchObject({
      code: 'DISK_FULL',
      exitCode: 5,
    });
    expect(entriesOf(join(root, VIEW))).toEqual(before);
    expect(readdirSync(join(root, 'tmp'))).toEqual([]);
  },
);

test('links of one content are one file, which is what makes them cheap to flush', async () => {
  const root = await makeCache(tempFolder(), IMAGES);
  const links = readdirSync(join(root, REPOSITORIES), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('link'))
    .map((name) => join(root, REPOSITORIES, name));
  const files = new Set(links.map((path) => statSync(path).ino));
  expect(files.size).toBe(new Set(links.map((path) => readFileSync(path, 'utf8'))).size);
  expect(files.size).toBeLessThan(links.length);
});
