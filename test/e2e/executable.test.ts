import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { demoBipIgnition } from '../../src/factory/demo/bip-ignition.ts';
import { startDemoRegistry } from '../../src/factory/demo/made-release.ts';
import { digestOf } from '../../src/oci/digest.ts';
import { type BareRoot, CAN_MOUNT_PRIVATELY, makeBareRoot } from '../support/bare-root.ts';
import { builtExecutable, IS_BUILDABLE } from '../support/built-executable.ts';
import { madeUpBytes } from '../support/made-up-bytes.ts';
import { type Finished, runEdgefab } from '../support/run-edgefab.ts';
import { canMount } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';
import { makeWholeDisk } from '../support/whole-disk.ts';

const noBuild = IS_BUILDABLE ? '' : ' (SKIPPED: needs npm run build:wasm, on x86_64)';
const inRoot = IS_BUILDABLE && haveTools('ldd') && CAN_MOUNT_PRIVATELY;
const noRoot = inRoot ? '' : ' (SKIPPED: needs npm run build:wasm, ldd, unshare and root, on x86_64)';

const manifest = JSON.parse(readFileSync('oclif.manifest.json', 'utf8')) as {
  readonly commands: Readonly<Record<string, { readonly summary?: string }>>;
};
const version = (JSON.parse(readFileSync('package.json', 'utf8')) as { readonly version: string }).version;

describe.skipIf(!inRoot)(
  `the executable where there is no Node, no shell and no place to write to${noRoot}`,
  () => {
    let root: BareRoot;
    let demo: Finished;
    beforeAll(async () => {
      root = makeBareRoot(builtExecutable());
      demo = await root.run(['demo', '/data/demo']);
    }, 180_000);
    afterAll(() => root?.close());

    test('says which one it is', async () => {
      const { status, stdout, stderr } = await root.run(['--version']);
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toMatch(new RegExp(`^edgefab/${version} linux-x64 node-v24\\.`));
    });

    test('its help is the one of the package', async () => {
      const env = { COLUMNS: '100' };
      const [here, there] = [await root.run(['--help'], env), await runEdgefab(['--help'], { env })];
      expect(here.stderr).toBe('');
      expect(here.stdout).toBe(there.stdout);
    });

    test('has every command, each with its help', async () => {
      const ids = Object.keys(manifest.commands);
      expect(ids.length).toBeGreaterThan(20);
      for (const id of ids) {
        const { status, stdout } = await root.run([...id.split(':'), '--help']);
        expect({ id, status }).toEqual({ id, status: 0 });
        expect(stdout).toContain(`$ edgefab ${id.replaceAll(':', ' ')}`);
      }
    }, 180_000);

    test('runs the whole factory', () => {
      expect(demo.stderr).not.toContain('Warning');
      expect({ status: demo.status, stderr: demo.status === 0 ? '' : demo.stderr }).toEqual({
        status: 0,
        stderr: '',
      });
      expect(demo.stdout).toContain('boot stick');
    });

    test.each([
      ['cache verify /data/demo/cache', 0],
      ['cache list /data/demo/cache --json', 0],
      ['iso show /data/demo/out/demo/demo.iso', 0],
      ['ignition show /data/demo/media/made-up-bip.ign', 0],
      ['ignition validate /data/demo/media/made-up-bip.ign', 0],
      ['ignition diff /data/demo/media/made-up-bip.ign /data/demo/media/made-up-bip.ign', 0],
      // The operator sets come with the program.
      ['imageset create --release 4.18.9 --operator-set edg -o /data/set.yaml', 2],
      ['no-such-command', 2],
      ['cache verify /data/none', 4],
      ['cache verify /data/none --json', 4],
    ])('says what the package says: %s', async (line, want) => {
      const here = await root.run(line.split(' '));
      const there = await runEdgefab(line.replaceAll('/data', root.work).split(' '));
      const spoken = ({ status, stdout, stderr }: Finished) => ({
        status,
        stdout: stdout.replaceAll(root.work, '/data'),
        // How fast it was.
        stderr: stderr.replaceAll(root.work, '/data').replace(/[\d.]+ [MG]iB\/s/g, 'RATE'),
      });
      expect(spoken(here)).toEqual(spoken(there));
      expect(here.status).toBe(want);
    });

    test('looks the machine over, and says what is not there', async () => {
      const { status, stdout } = await root.run(['doctor']);
      expect(status).toBe(0);
      expect(stdout).toContain('note     sgdisk: it is not on PATH, and writes partition tables\n');
    });

    test('packs with xz what gzip does not get small enough, and reads it again', async () => {
      // Said twice, farther apart than gzip looks back.
      const half = madeUpBytes(150_000, 'half').toString('base64');
      const ignition = JSON.parse(
        demoBipIgnition({
          clusterName: 'bip',
          domain: 'example.com',
          installDisk: '/dev/sda',
          releaseImage: `quay.io/made-up/release@sha256:${'1'.repeat(64)}`,
        }).toString(),
      ) as { storage: { files: unknown[] } };
      for (const path of ['/etc/one', '/etc/two'])
        ignition.storage.files.push({ path, contents: { source: `data:;base64,${half}` } });
      writeFileSync(join(root.work, 'large.ign'), JSON.stringify(ignition));
      const embed =
        'iso embed /data/demo/media/made-up-live.iso --ignition /data/large.ign -o /data/large.iso'.split(
          ' ',
        );
      const { stdout, stderr } = await root.run(embed);
      expect(`${stdout}${stderr}`).toContain('(xz)');
      expect((await root.run(['iso', 'show', '/data/large.iso'])).stdout).toContain('config.ign');
    });

    test('writes nothing that it was not asked for, into a home folder neither', async () => {
      const before = readdirSync(root.work).sort();
      const env = { HOME: '/data', TMPDIR: '/data', XDG_CACHE_HOME: '/data', XDG_DATA_HOME: '/data' };
      for (const line of [
        '--version',
        'cache verify /data/demo/cache',
        'ignition validate /data/demo/media/made-up-bip.ign',
      ])
        expect((await root.run(line.split(' '), env)).status).toBe(0);
      expect(readdirSync(root.work).sort()).toEqual(before);
    });

    test('puts itself on the cache disk, and runs from there', async () => {
      const { server, releaseImage } = await startDemoRegistry(join(root.work, 'registry'));
      onTestFinished(() => server.close());
      writeFileSync(
        join(root.work, 'imageset.yaml'),
        'apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n' +
          `  additionalImages: [{ name: "${releaseImage}" }]\n`,
      );
      const command = 'precache /data/imageset.yaml --folder /data/cache --insecure'.split(' ');
      const { status, stdout, stderr } = await root.run(command);
      expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
      expect(stdout).toContain('/data/cache/edgefab');
      const carried = join(root.work, 'cache', 'edgefab');
      const bytes = readFileSync(carried);
      expect(bytes.equals(readFileSync(builtExecutable()))).toBe(true);
      expect(statSync(carried).mode & 0o777).toBe(0o755);
      expect(JSON.parse(readFileSync(join(root.work, 'cache', 'edgefab-cache.json'), 'utf8'))).toMatchObject({
        executable: { sha256: digestOf(bytes), sizeBytes: bytes.length },
      });

      const { ino } = statSync(carried);
      expect((await root.run(command)).status).toBe(0);
      expect(statSync(carried).ino).toBe(ino);
      const other = makeBareRoot(carried);
      onTestFinished(() => other.close());
      expect((await other.run(['--version'])).stdout).toContain(version);
      expect((await root.run(['cache', 'verify', '/data/cache'])).status).toBe(0);

      // A disk that went bad under the program: found, and put back from the one that runs.
      appendFileSync(carried, 'x');
      expect((await root.run(['cache', 'verify', '/data/cache'])).status).toBe(6);
      const repair = ['cache', 'verify', '/data/cache', '--repair', '--insecure'];
      expect((await root.run(repair)).status).toBe(0);
      expect(readFileSync(carried).equals(bytes)).toBe(true);
      expect((await root.run(['cache', 'verify', '/data/cache'])).status).toBe(0);
    }, 180_000);
  },
);

const elfReady = IS_BUILDABLE && haveTools('readelf');
describe.skipIf(!elfReady)(
  `the file${elfReady ? '' : ' (SKIPPED: needs npm run build:wasm and readelf, on x86_64)'}`,
  () => {
    const readelf = (...args: string[]): string =>
      execFileSync('readelf', [...args, builtExecutable()], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });

    // What RHEL 8, the older base of RHCOS, has: glibc 2.28 and the libstdc++ of GCC 8.
    test.each([
      ['GLIBC', '2.28'],
      ['GLIBCXX', '3.4.25'],
      ['CXXABI', '1.3.11'],
    ])('asks for no %s newer than %s', (name, newest) => {
      const found = [...readelf('-VW').matchAll(new RegExp(`Name: ${name}_([0-9.]+)`, 'g'))];
      const versions = found.map(([, text = '']) => text);
      expect(versions).not.toEqual([]);
      expect(versions.filter((version) => order(version, newest) > 0)).toEqual([]);
    });

    test('is linked with what every RHCOS has', () => {
      const needed = [...readelf('-dW').matchAll(/\(NEEDED\).*\[(.*)\]/g)].map(([, library]) => library);
      expect(needed.sort()).toEqual([
        'ld-linux-x86-64.so.2',
        'libc.so.6',
        'libdl.so.2',
        'libgcc_s.so.1',
        'libm.so.6',
        'libpthread.so.0',
        'libstdc++.so.6',
      ]);
    });

    test('has its program headers where kernels before 5.18 look for them', () => {
      // They tell the loader an address made from the offset in the file and the start of the first segment.
      const headers = readelf('-lW');
      const [, offset] = /starting at offset (\d+)/.exec(headers) ?? [];
      const [, at] = /^ +PHDR +\S+ (0x[0-9a-f]+)/m.exec(headers) ?? [];
      const [, start] = /^ +LOAD +0x0+ (0x[0-9a-f]+)/m.exec(headers) ?? [];
      expect(Number(at)).toBe(Number(start) + Number(offset));
    });
  },
);

/** Compares versions number by number. */
function order(a: string, b: string): number {
  return a.localeCompare(b, 'en', { numeric: true });
}

describe.skipIf(!IS_BUILDABLE)(`precache by the package${noBuild}`, () => {
  test('puts the executable that is named on the cache disk, and says when there is none', async () => {
    const folder = tempFolder();
    const { server, releaseImage } = await startDemoRegistry(join(folder, 'registry'));
    onTestFinished(() => server.close());
    const set = join(folder, 'imageset.yaml');
    writeFileSync(
      set,
      'apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n' +
        `  additionalImages: [{ name: "${releaseImage}" }]\n`,
    );
    const cache = join(folder, 'cache');
    const command = ['precache', set, '--folder', cache, '--insecure', '--executable'];
    const refused = await runEdgefab([...command, set]);
    expect(refused.status).toBe(3);
    expect(refused.stderr).toContain('EXECUTABLE_UNFIT');
    const { status, stdout } = await runEdgefab([...command, builtExecutable()]);
    expect(status).toBe(0);
    expect(stdout).toContain(join(cache, 'edgefab'));
    expect(readFileSync(join(cache, 'edgefab')).equals(readFileSync(builtExecutable()))).toBe(true);
    const other = await runEdgefab([
      'precache',
      set,
      '--folder',
      join(folder, 'other'),
      '--insecure',
      '--arch',
      'ppc64le',
      '--executable',
      builtExecutable(),
    ]);
    expect(other.stderr).toContain('expected an executable for Linux on ppc64le');
  }, 120_000);
});

const DISK_TOOLS = [
  'sgdisk',
  'mkfs.xfs',
  'blkid',
  'wipefs',
  'blockdev',
  'losetup',
  'partx',
  'mount',
  'umount',
];
const withDisks = inRoot && canMount && haveTools(...DISK_TOOLS);
const noDisks = withDisks ? '' : ` (SKIPPED: needs what the tests above do, and ${DISK_TOOLS.join(', ')})`;

describe.skipIf(!withDisks)(
  `the executable on a machine to be installed, with the disk tools of a live system${noDisks}`,
  () => {
    test('finds its tools, prepares the disk, fills it from a cache, and tries an install again', async () => {
      const root = makeBareRoot(builtExecutable(), DISK_TOOLS);
      onTestFinished(() => root.close());
      const GiB = 1024 ** 3;
      const disk = makeWholeDisk(130 * GiB, 512);
      expect(await root.run(['demo', '/data/demo'])).toMatchObject({ status: 0 });

      const doctor = await root.run(['doctor', '--target', '--cache', '/data/demo/cache', '--verify']);
      expect(doctor.stdout).toContain('ok       sgdisk: GPT fdisk');
      expect(doctor.stdout).toMatch(/^ok {7}cache \/data\/demo\/cache: complete.*bytes read and right$/m);

      const backup = ['--backup', '/data/table.json'];
      const wish = ['--on-target', '--size', '1GiB', '--label', 'ef-bare'];
      const made = await root.run(['partition', disk.device, ...wish, '--yes', ...backup]);
      expect({ status: made.status, stderr: made.stderr }).toEqual({ status: 0, stderr: '' });
      expect(made.stdout).toMatch(/^partition 5, ef-bare, 1\.0 GiB, GUID [-0-9A-F]{36}$/m);
      expect(execFileSync('sgdisk', ['-v', disk.device], { encoding: 'utf8' })).toContain(
        'No problems found',
      );

      // Mounted as the live system would, at its place in the disk.
      const mounted = join(root.work, 'node');
      const offset =
        Number(/^ +5 +(\d+)/m.exec(execFileSync('sgdisk', ['-p', disk.device], { encoding: 'utf8' }))?.[1]) *
        512;
      mkdirSync(mounted);
      execFileSync('mount', ['-o', `loop,offset=${offset},sizelimit=${GiB}`, disk.device, mounted]);
      try {
        expect(await root.run(['cache', 'copy', '/data/demo/cache', '/data/node'])).toMatchObject({
          status: 0,
        });
        expect(await root.run(['cache', 'verify', '/data/node'])).toMatchObject({ status: 0 });
      } finally {
        execFileSync('umount', [mounted]);
      }

      execFileSync('sgdisk', ['-n', '4:0:0', '-c', '4:root', disk.device], { stdio: 'ignore' });
      const confirm = ['--yes', '--confirm', `${basename(disk.device)}:${disk.sizeBytes}`];
      const again = await root.run([
        'partition',
        disk.device,
        '--retry-install',
        '--label',
        'ef-bare',
        ...confirm,
        '--backup',
        '/data/again.json',
      ]);
      expect({ status: again.status, stderr: again.stderr }).toEqual({
        status: 0,
        stderr: expect.stringContaining('run edgefab cache verify'),
      });
      execFileSync('mount', ['-o', `loop,offset=${offset},sizelimit=${GiB}`, disk.device, mounted]);
      try {
        expect(await root.run(['cache', 'verify', '/data/node'])).toMatchObject({ status: 0 });
      } finally {
        execFileSync('umount', [mounted]);
      }
    }, 180_000);
  },
);
