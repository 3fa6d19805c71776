import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { demoBipIgnition } from '../../src/factory/demo/bip-ignition.ts';
import { makeCoreosIso } from '../../src/factory/demo/coreos-iso.ts';
import { madeBytes } from '../../src/factory/demo/made-image.ts';
import { DEMO_REPOSITORIES, startDemoRegistry } from '../../src/factory/demo/made-release.ts';
import { encodeIso9660 } from '../../src/formats/iso9660-writer.ts';
import { type FaultRule, startFaultProxy } from '../support/fault-proxy.ts';
import { makeFactory } from '../support/made-factory.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { canMount, mountSmallDisk } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** Starts a registry behind a proxy and writes an image set that asks for its release. */
async function behindProxy(rule: FaultRule) {
  const folder = tempFolder();
  const { server, release } = await startDemoRegistry(join(folder, 'registry'));
  onTestFinished(() => server.close());
  const proxy = await startFaultProxy(server.host, rule);
  const set = join(folder, 'imageset.yaml');
  const image = `${proxy.host}/${DEMO_REPOSITORIES.release}@${release}`;
  writeImageSet(set, image);
  return { folder, set, cache: join(folder, 'cache'), image, proxy };
}

function writeImageSet(path: string, image: string): void {
  writeFileSync(
    path,
    `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  additionalImages:\n    - name: ${image}\n`,
  );
}

function finishedBlobs(cache: string): string[] {
  return existsSync(join(cache, 'blobs', 'sha256')) ? readdirSync(join(cache, 'blobs', 'sha256')) : [];
}

const isBlob = (path: string): boolean => path.includes('/blobs/');

describe('bytes and registries that are not what they should be', () => {
  test('a blob with wrong bytes, always: status 6, and it never gets its name', async () => {
    const { set, cache, image } = await behindProxy((path) =>
      isBlob(path) ? { kind: 'corrupt' } : undefined,
    );
    const run = await runEdgefabJson(['precache', set, '-f', cache, '--insecure', '--retry-times', '1']);
    expect(run.status).toBe(6);
    expect(run.document).toMatchObject({ error: { code: 'BLOB_DIGEST_MISMATCH' } });
    expect((run.document.error as { message: string }).message).toContain(image.slice(0, 40));
    // The two manifests' worth of good bytes is there, no blob is.
    expect(finishedBlobs(cache)).toHaveLength(1);
    expect(readFileSync(join(cache, 'edgefab-cache.json'), 'utf8')).toContain('"incomplete"');
  });

  test('a blob with wrong bytes, once: fetched again and right', async () => {
    let broken = false;
    const { set, cache } = await behindProxy((path) => {
      if (!isBlob(path) || broken) return undefined;
      broken = true;
      return { kind: 'corrupt' };
    });
    const run = await runEdgefab(['precache', set, '-f', cache, '--insecure']);
    expect(run.status).toBe(0);
    expect((await runEdgefab(['cache', 'verify', cache])).status).toBe(0);
  });

  test('a blob cut short, always: status 5, the part is kept, the next run goes on from it', async () => {
    let broken = true;
    // What brings bytes each time would get there in the end, and is not given up.
    const { set, cache } = await behindProxy((path, { attempt }) =>
      isBlob(path) && broken ? { kind: 'truncate', afterBytes: attempt === 1 ? 100_000 : 0 } : undefined,
    );
    const run = await runEdgefabJson(['precache', set, '-f', cache, '--insecure', '--retry-times', '1']);
    expect(run.status).toBe(5);
    expect(run.document).toMatchObject({ error: { code: 'PULL_INCOMPLETE' } });
    const partials = readdirSync(join(cache, 'tmp')).filter((name) => name !== 'lock');
    expect(partials.every((name) => /\.partial(\.sums)?$/.test(name))).toBe(true);
    expect(partials.length).toBeGreaterThan(0);
    expect((await runEdgefab(['cache', 'verify', cache])).status).toBe(5);
    broken = false;
    const again = await runEdgefabJson(['precache', set, '-f', cache, '--insecure']);
    expect(again.status).toBe(0);
    expect(again.document.heldBytes).toBeGreaterThanOrEqual(100_000);
    expect(readdirSync(join(cache, 'tmp'))).toEqual(['lock']);
  });

  test('401: status 8, naming the registry and what to do', async () => {
    const folder = tempFolder();
    const { server, releaseImage } = await startDemoRegistry(join(folder, 'registry'), {
      auth: { kind: 'basic', username: 'u', password: 'p' },
    });
    onTestFinished(() => server.close());
    const set = join(folder, 'imageset.yaml');
    writeImageSet(set, releaseImage);
    const run = await runEdgefab(['precache', set, '-f', join(folder, 'cache'), '--insecure']);
    expect(run.status).toBe(8);
    expect(run.stderr).toContain(server.host);
    expect(run.stderr).toContain('--authfile');
    expect(existsSync(join(folder, 'cache', 'edgefab.lock'))).toBe(false);
  });

  test('a registry that is not there: status 8, with the cause in words', async () => {
    const folder = tempFolder();
    const set = join(folder, 'imageset.yaml');
    writeImageSet(set, `127.0.0.1:1/nobody/there@sha256:${'0'.repeat(64)}`);
    const run = await runEdgefab([
      'precache',
      set,
      '-f',
      join(folder, 'cache'),
      '--insecure',
      '--retry-times',
      '0',
    ]);
    expect(run.status).toBe(8);
    expect(run.stderr).toMatch(/127\.0\.0\.1:1\b.*refused/s);
  });
});

describe.skipIf(!canMount)(
  `a disk without room${canMount ? '' : ' (SKIPPED: needs root and a loop device)'}`,
  () => {
    test('too small from the start: status 4 with the numbers, before the first byte', async () => {
      const { set, proxy } = await behindProxy(() => undefined);
      const disk = mountSmallDisk(4 * 1024 * 1024);
      const run = await runEdgefab(['precache', set, '-f', join(disk, 'cache'), '--insecure']);
      expect(run.status).toBe(4);
      expect(run.stderr).toMatch(/bytes are needed, \d+ are free, \d+ short/);
      expect(proxy.asked.filter(isBlob)).toEqual([]);
    });

    test('filled by somebody else in mid-run: status 5, nothing false, and the next run completes', async () => {
      let filler = '';
      const {
        set,
        cache: _,
        folder,
      } = await behindProxy((path) => {
        if (isBlob(path) && filler === '') {
          filler = join(disk, 'filler');
          try {
            writeFileSync(filler, Buffer.alloc(64 * 1024 * 1024));
          } catch {
            // Full is what it is to be.
          }
        }
        return undefined;
      });
      const disk = mountSmallDisk(32 * 1024 * 1024);
      const cache = join(disk, 'cache');
      const run = await runEdgefabJson(['precache', set, '-f', cache, '--insecure'], { cwd: folder });
      expect(run.document).toMatchObject({ error: { code: 'DISK_FULL' } });
      expect(run.status).toBe(5);
      rmSync(filler);
      expect((await runEdgefab(['precache', set, '-f', cache, '--insecure'])).status).toBe(0);
      expect((await runEdgefab(['cache', 'verify', cache])).status).toBe(0);
    });
  },
);

describe('files that are not what they should be', () => {
  test('an unknown key in factory.yaml: status 3 with line, column and near match', async () => {
    const factory = await makeFactory();
    const text = readFileSync(factory.at('factory.yaml'), 'utf8');
    writeFileSync(factory.at('factory.yaml'), text.replace('imageSet:', 'imageset:'));
    const run = await runEdgefab(['plan', '--insecure'], { cwd: factory.folder });
    expect(run.status).toBe(3);
    expect(run.stderr).toMatch(/factory\.yaml:4:1.*imageset.*imageSet/s);
  });

  test('a site without a complete cache: status 4, nothing built', async () => {
    const factory = await makeFactory();
    const run = await runEdgefab(['iso'], { cwd: factory.folder });
    expect(run.status).toBe(4);
    expect(run.stderr).toContain('edgefab precache');
    expect(existsSync(factory.at('out'))).toBe(false);
  });

  test('a site that asks for what is not done yet: status 4 naming every key, nothing built', async () => {
    const factory = await makeFactory();
    const text = readFileSync(factory.at('factory.yaml'), 'utf8');
    writeFileSync(
      factory.at('factory.yaml'),
      text.replace('  - name: bip', '  - name: bip\n    cache: { serve: node }'),
    );
    expect((await runEdgefab(['precache', '--insecure'], { cwd: factory.folder })).status).toBe(0);
    const run = await runEdgefab(['iso'], { cwd: factory.folder });
    expect(run.status).toBe(4);
    expect(run.stderr).toContain('cache.serve');
    expect(existsSync(factory.at('out', 'bip'))).toBe(false);
  });

  test('a factory changed after precache: status 4, the lock is stale', async () => {
    const factory = await makeFactory();
    expect((await runEdgefab(['precache', '--insecure'], { cwd: factory.folder })).status).toBe(0);
    const text = readFileSync(factory.at('imageset.yaml'), 'utf8');
    writeFileSync(factory.at('imageset.yaml'), text.replace(':latest', `@sha256:${'1'.repeat(64)}`));
    const run = await runEdgefab(['iso'], { cwd: factory.folder });
    expect(run).toMatchObject({ status: 4 });
    expect(run.stderr).toContain('stale');
  });

  test.each([
    ['an ISO without an embed area', 'plain', 'EMBED_AREA_MISSING', 4],
    ['no ISO at all', 'noise', 'ISO_INVALID', 3],
  ])('%s: refused, and nothing is written', async (_, kind, code, status) => {
    const folder = tempFolder();
    const iso = join(folder, 'live.iso');
    if (kind === 'noise') writeFileSync(iso, madeBytes('noise', 200_000));
    else {
      writeFileSync(
        iso,
        encodeIso9660({ volumeId: 'plain', files: [{ path: 'README', bytes: Buffer.from('x') }] }).bytes,
      );
    }
    writeFileSync(join(folder, 'a.ign'), '{"ignition":{"version":"3.2.0"}}');
    const run = await runEdgefabJson([
      'iso',
      'embed',
      iso,
      '--ignition',
      join(folder, 'a.ign'),
      '-o',
      join(folder, 'out.iso'),
    ]);
    expect(run.document).toMatchObject({ error: { code } });
    expect(run.status).toBe(status);
    expect(readdirSync(folder).sort()).toEqual(['a.ign', 'live.iso']);
  });

  test('an Ignition too large for the area: status 4 with both sizes, and nothing is written', async () => {
    const folder = tempFolder();
    const iso = join(folder, 'live.iso');
    await makeCoreosIso(iso);
    const noise = madeBytes('large', 300_000).toString('base64');
    writeFileSync(
      join(folder, 'a.ign'),
      JSON.stringify({
        ignition: { version: '3.2.0' },
        storage: { files: [{ path: '/noise', contents: { source: `data:;base64,${noise}` } }] },
      }),
    );
    const run = await runEdgefab([
      'iso',
      'embed',
      iso,
      '--ignition',
      join(folder, 'a.ign'),
      '-o',
      join(folder, 'out.iso'),
    ]);
    expect(run.status).toBe(4);
    expect(run.stderr).toMatch(/EMBED_AREA_FULL/);
    expect(run.stderr).toMatch(/\d{6}.*262,?144/s);
    expect(readdirSync(folder).sort()).toEqual(['a.ign', 'live.iso']);
  });

  test('an Ignition that is no bootstrap-in-place one: status 3, saying what is missing', async () => {
    const folder = tempFolder();
    writeFileSync(join(folder, 'a.ign'), '{"ignition":{"version":"3.2.0"}}');
    const run = await runEdgefab([
      'ignition',
      'patch',
      join(folder, 'a.ign'),
      '--hostname',
      'bip',
      '-o',
      join(folder, 'b.ign'),
    ]);
    expect(run.status).toBe(3);
    expect(run.stderr).toContain('install-to-disk.sh');
    expect(run.stderr).toContain('single-node-ignition-config');
    expect(existsSync(join(folder, 'b.ign'))).toBe(false);
  });

  test('registry mode without a cache: status 2, and what to name or to write instead', async () => {
    const folder = tempFolder();
    const releaseImage = `quay.io/made/up@sha256:${'1'.repeat(64)}`;
    writeFileSync(
      join(folder, 'a.ign'),
      demoBipIgnition({ clusterName: 'bip', domain: 'example.com', installDisk: '/dev/sda', releaseImage }),
    );
    const run = await runEdgefab([
      'ignition',
      'patch',
      join(folder, 'a.ign'),
      '--hostname',
      'bip',
      '-o',
      join(folder, 'b.ign'),
    ]);
    expect(run.status).toBe(2);
    expect(run.stderr).toContain('--cache DIR, or use --cache-mode preload');
  });

  test.each([
    [['precache', 'missing.yaml', '-f', 'x'], 3, 'missing.yaml'],
    [['nonsense'], 2, 'nonsense'],
    [['iso', 'embed'], 2, 'Missing'],
    [['plan', '--rate', 'fast'], 2, '--rate'],
    [['cache', 'verify', '/'], 4, 'edgefab-cache.json'],
  ])('edgefab %j: status %i', async (args, status, text) => {
    const run = await runEdgefab(args, { cwd: tempFolder() });
    expect(run.stderr + run.stdout).toContain(text);
    expect(run.status).toBe(status);
  });
});

test.each([
  ['ignition', 'show'],
  ['ignition', 'validate'],
  ['imageset', 'show'],
])('%s %s of a file that is not there: status 3, and its name', async (...command) => {
  const { status, document } = await runEdgefabJson([...command, '/nonexistent/input']);
  expect({ status, document }).toMatchObject({
    status: 3,
    document: {
      error: { code: 'FILE_UNREADABLE', message: expect.stringContaining('/nonexistent/input') },
    },
  });
});
