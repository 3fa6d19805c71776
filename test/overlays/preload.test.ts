import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type DirView, makeDirView } from '../support/dir-view.ts';

const SCRIPT = 'overlays/scripts/edgefab-preload.sh';
const HAS_TOOLS = ['skopeo', 'podman', 'lsblk'].every((tool) => spawnSync(tool, ['--version']).status === 0);

interface Run {
  readonly status: number | null;
  readonly output: string;
  /** The lines of the status file. */
  readonly lines: string[];
}

describe.skipIf(!HAS_TOOLS)('edgefab-preload.sh with real skopeo and podman (needs both)', () => {
  let root: string;
  let cache: string;
  let storageConf: string;
  let images: DirView[];

  beforeEach(async () => {
    root = mkdtempSync(join(tmpdir(), 'edgefab-preload-'));
    cache = join(root, 'cache');
    mkdirSync(cache);
    storageConf = join(root, 'storage.conf');
    // vfs needs no mounts, so the store is real and private also in a container.
    writeFileSync(
      storageConf,
      `[storage]\ndriver = "vfs"\ngraphroot = "${root}/graph"\nrunroot = "${root}/runroot"\n`,
    );
    writeFileSync(
      join(cache, 'edgefab-cache.json'),
      '{\n  "cacheId": "cache-1",\n  "state": "complete"\n}\n',
    );
    images = [];
    for (const name of ['made-up/one', 'made-up/two', 'made-up/three'])
      images.push(await makeDirView(cache, name, `content of ${name}\n`));
    writeList(images.map(({ reference, view }) => `live ${reference} ${view}`));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  function writeList(lines: readonly string[]): void {
    writeFileSync(join(root, 'images.list'), `# phase, image, folder\n\n${lines.join('\n')}\n`);
  }

  function preload(settings: Record<string, string> = {}): Run {
    const result = spawnSync('bash', [SCRIPT], {
      encoding: 'utf8',
      env: {
        PATH: process.env.PATH ?? '',
        HOME: root,
        TMPDIR: root,
        CONTAINERS_STORAGE_CONF: storageConf,
        EDGEFAB_LIST: join(root, 'images.list'),
        EDGEFAB_RUN: join(root, 'run'),
        EDGEFAB_CACHE_DIR: cache,
        EDGEFAB_RETRY_SECONDS: '0',
        EDGEFAB_ATTEMPTS: '2',
        ...settings,
      },
    });
    const statusFile = join(root, 'run/preload.status');
    const status = existsSync(statusFile) ? readFileSync(statusFile, 'utf8') : '';
    return {
      status: result.status,
      output: result.stdout + result.stderr,
      lines: status.split('\n').filter((line) => line !== ''),
    };
  }

  function podmanHas(reference: string): boolean {
    const env = { ...process.env, CONTAINERS_STORAGE_CONF: storageConf };
    return spawnSync('podman', ['image', 'exists', reference], { env }).status === 0;
  }

  test('loads every image, and a second run finds all of them without the disk', () => {
    const first = preload();
    expect(first).toMatchObject({ status: 0, lines: images.map(({ reference }) => `loaded ${reference} -`) });
    expect(images.map(({ reference }) => podmanHas(reference))).toEqual([true, true, true]);
    expect(first.output).toContain('all 3 images are in the store');

    rmSync(cache, { recursive: true });
    const second = preload();
    expect(second).toMatchObject({
      status: 0,
      lines: images.map(({ reference }) => `present ${reference} -`),
    });
    expect(second.output).toContain('3 images wanted in the live phase, 3 are here already');
  });

  test('a damaged layer fails its image, by name, and only that one', () => {
    const [, damaged] = images;
    const bytes = readFileSync(damaged?.layer ?? '');
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 0xff;
    writeFileSync(damaged?.layer ?? '', bytes);

    const run = preload();
    expect(run.status).toBe(1);
    expect(run.lines.map((line) => line.split(' ')[0])).toEqual(['loaded', 'failed', 'loaded']);
    expect(run.lines[1]).toMatch(new RegExp(`^failed ${damaged?.reference} .{10,}`));
    // Each attempt was for the image that failed.
    expect(run.output.match(/attempt \d of 2 failed for \S+/g)).toEqual([
      `attempt 1 of 2 failed for ${damaged?.reference}:`,
      `attempt 2 of 2 failed for ${damaged?.reference}:`,
    ]);
    expect(run.output).toContain('1 of 3 images could not be loaded');
    expect(images.map(({ reference }) => podmanHas(reference))).toEqual([true, false, true]);
  });

  test('a layer that is repaired is loaded by the next run, the others are skipped', async () => {
    const [one] = images;
    rmSync(one?.layer ?? '');
    expect(preload()).toMatchObject({ status: 1 });
    await makeDirView(cache, 'made-up/one', 'content of made-up/one\n');
    const run = preload();
    expect(run.status).toBe(0);
    expect(run.lines.map((line) => line.split(' ')[0])).toEqual(['loaded', 'present', 'present']);
  });

  test.skipIf(process.arch !== 'x64')(
    'a list with one child is loaded under its own digest (on x86_64)',
    async () => {
      const list = await makeDirView(cache, 'made-up/list', 'content', { list: true });
      writeList([`live ${list.reference} ${list.view}`]);
      expect(preload()).toMatchObject({ status: 0, lines: [`loaded ${list.reference} -`] });
      expect(podmanHas(list.reference)).toBe(true);
    },
  );

  test('an image whose bytes are of another digest is refused', () => {
    const [one, two] = images;
    writeList([`live ${one?.reference} ${two?.view}`]);
    const run = preload();
    expect(run.status).toBe(1);
    expect(run.lines[0]).toMatch(/^failed quay\.io\/made-up\/one@/);
  });

  test('an image without a view is named', () => {
    writeList([`live ${images[0]?.reference} views/dir/none`]);
    expect(preload()).toMatchObject({
      status: 1,
      lines: [`failed ${images[0]?.reference} the cache has no view views/dir/none`],
    });
  });

  test('only the lines of the phase count', () => {
    const [one, two, three] = images;
    writeList([
      `live ${one?.reference} ${one?.view}`,
      `installed ${two?.reference} ${two?.view}`,
      `both ${three?.reference} ${three?.view}`,
    ]);
    expect(preload({ EDGEFAB_PHASE: 'installed' }).lines).toEqual([
      `loaded ${two?.reference} -`,
      `loaded ${three?.reference} -`,
    ]);
  });

  test.each([
    ['no list', { EDGEFAB_LIST: '/nonexistent' }, /image list \/nonexistent cannot be read/],
    ['a cache with another id', { EDGEFAB_CACHE_ID: 'other' }, /holds no edgefab cache with id other/],
    ['a cache id that is a pattern', { EDGEFAB_CACHE_ID: '.*"|x' }, /characters no cache id has/],
    ['another phase', { EDGEFAB_PHASE: 'day2' }, /want live or installed/],
  ])('stops at %s', (_name, settings, message) => {
    const run = preload(settings);
    expect(run.status).toBe(2);
    expect(run.lines[0]).toMatch(/^stopped - /);
    expect(run.lines[0]).toMatch(message);
  });

  test.each([
    ['an absolute view', 'live quay.io/a/b@sha256:00 /etc'],
    ['a view that climbs', 'live quay.io/a/b@sha256:00 views/../..'],
    ['a word too many', 'live quay.io/a/b@sha256:00 views/x more'],
    ['no view', 'live quay.io/a/b@sha256:00'],
  ])('stops at a list line with %s', (_name, line) => {
    writeList([line]);
    expect(preload()).toMatchObject({ status: 2, lines: [expect.stringContaining('bad line')] });
  });

  describe('finds the disk by label and id (lsblk, mount and umount are stand-ins)', () => {
    /** Stand-ins that "mount" a folder by copying it, and write down what they were told. */
    function standIns(
      partitions: readonly [string, string][],
      refusesPlainRo = false,
    ): Record<string, string> {
      const bin = join(root, 'bin');
      mkdirSync(bin);
      const program = (name: string, text: string): void => {
        writeFileSync(join(bin, name), `#!/bin/bash\n${text}`);
        chmodSync(join(bin, name), 0o755);
      };
      program('lsblk', partitions.map(([device, label]) => `echo '${device} ${label}'\n`).join(''));
      program(
        'mount',
        `echo "mount $*" >>${root}/calls\n[[ ${refusesPlainRo ? 1 : 0} == 1 && $2 != *norecovery* ]] && { echo 'dirty log' >&2; exit 32; }\ncp -a "$3/." "$4/"\n`,
      );
      program('umount', `echo "umount $1" >>${root}/calls\nfind "$1" -mindepth 1 -delete\n`);
      return {
        PATH: `${bin}:${process.env.PATH}`,
        EDGEFAB_CACHE_DIR: '',
        EDGEFAB_WAIT_SECONDS: '0',
        EDGEFAB_CACHE_ID: 'cache-1',
      };
    }
    const calls = (): string[] => readFileSync(join(root, 'calls'), 'utf8').trim().split('\n');

    test('among disks with other labels and a namesake without the id file', () => {
      const stranger = join(root, 'stranger');
      mkdirSync(stranger);
      const run = preload(
        standIns([
          [stranger, 'edgefab'],
          ['/dev/none', 'data'],
          [cache, 'edgefab'],
          ['/dev/sdx', ''],
        ]),
      );
      expect(run).toMatchObject({ status: 0 });
      expect(run.output).toContain(`using the cache on ${cache}`);
      // Whatever was mounted is unmounted: the install needs the disk unused.
      expect(calls().filter((line) => line.startsWith('mount'))).toHaveLength(3);
      expect(calls().filter((line) => line.startsWith('umount'))).toHaveLength(3);
      expect(calls()[0]).toMatch(/^mount -o ro,nodev,nosuid/);
    });

    test('stops when two disks hold the wanted cache', () => {
      const twin = join(root, 'twin');
      spawnSync('cp', ['-a', cache, twin]);
      const run = preload(
        standIns([
          [cache, 'edgefab'],
          [twin, 'edgefab'],
        ]),
      );
      expect(run.status).toBe(2);
      expect(run.lines[0]).toContain(`more than one cache disk: ${cache} ${twin}`);
      expect(podmanHas(images[0]?.reference ?? '')).toBe(false);
    });

    test('stops when no disk is there, and says what to do', () => {
      const run = preload(standIns([['/dev/sda1', 'data']]));
      expect(run).toMatchObject({ status: 2, lines: [expect.stringContaining('plug in the cache disk')] });
    });

    test('mounts a disk with a dirty log without replaying it', () => {
      expect(preload(standIns([[cache, 'edgefab']], true))).toMatchObject({ status: 0 });
      expect(
        calls()
          .filter((line) => line.startsWith('mount'))
          .at(-1),
      ).toMatch(/^mount -o ro,norecovery,nodev,nosuid/);
    });
  });
});

describe('edgefab-release-image.sh', () => {
  test.each([
    ['asks nothing of the network when the image is here', 0, /the release image is here/],
    ['runs the stock script when it is not', 1, /STOCK RAN/],
  ])('%s (podman is a stand-in)', (_name, exists, output) => {
    const bin = mkdtempSync(join(tmpdir(), 'edgefab-release-'));
    try {
      writeFileSync(
        join(bin, 'podman'),
        `#!/bin/bash\n[[ "$*" == "image exists quay.io/a/b@sha256:00" ]] || exit 9\nexit ${exists}\n`,
        { mode: 0o755 },
      );
      writeFileSync(join(bin, 'stock'), '#!/bin/bash\necho STOCK RAN\n', { mode: 0o755 });
      const result = spawnSync('bash', ['overlays/scripts/edgefab-release-image.sh'], {
        encoding: 'utf8',
        env: {
          PATH: `${bin}:${process.env.PATH}`,
          EDGEFAB_RELEASE_IMAGE: 'quay.io/a/b@sha256:00',
          EDGEFAB_STOCK_DOWNLOAD: join(bin, 'stock'),
        },
      });
      expect([result.status, result.stdout]).toEqual([0, expect.stringMatching(output)]);
    } finally {
      rmSync(bin, { recursive: true });
    }
  });
});
