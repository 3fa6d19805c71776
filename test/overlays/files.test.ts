import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { madeUpBytes } from '../support/made-up-bytes.ts';
import { HAS_NAMESPACES } from '../support/private-machine.ts';
import { canMount } from '../support/small-disk.ts';
import { standIns } from '../support/stand-ins.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openXfsCache } from '../support/xfs-cache.ts';

const ready = canMount && HAS_NAMESPACES;
const skipped = ready ? '' : ' (SKIPPED: needs root and namespaces)';
const TOOL = '/usr/local/bin/deep/down/tool';
const DATA = '/opt/vendor/data.bin';

interface Run {
  readonly status: number | null;
  readonly output: string;
  /** The one line of the status file. */
  readonly line: string;
}

interface World {
  readonly cache: string;
  /** Path of a file of the machine. */
  at(path: string): string;
  /** Path of a file in the cache. */
  held(path: string): string;
  list(lines: readonly string[]): void;
  lineOf(path: string): string;
  run(settings?: Record<string, string>, path?: string): Run;
}

/** A cache with two files, and the machine they are for: the real script, bash and mounts. `disk`: nothing is mounted. */
function world(disk?: string): World {
  const folder = tempFolder();
  const [cache, root, run, list] = ['cache', 'root', 'run', 'files.list'].map((name) =>
    join(folder, name),
  ) as [string, string, string, string];
  mkdirSync(join(cache, 'files', 'sha256'), { recursive: true });
  mkdirSync(join(run, 'cache'), { recursive: true });
  mkdirSync(root);
  writeFileSync(join(cache, 'edgefab-cache.json'), '{\n  "cacheId": "cache-1"\n}\n');
  const lines = new Map<string, string>();
  for (const [path, mode] of [
    [TOOL, '0755'],
    [DATA, '0644'],
  ] as const) {
    const bytes = madeUpBytes(70_000, path);
    const sum = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(cache, 'files', 'sha256', sum), bytes);
    lines.set(path, `${sum} ${bytes.length} ${mode} ${path}`);
  }
  const lineOf = (path: string): string => lines.get(path) ?? '';
  writeFileSync(list, `# a title\n\n${[...lines.values()].join('\n')}\n`);
  const mount = disk === undefined ? 'mount --bind "$1" "$2/cache" && ' : '';
  return {
    cache,
    at: (path) => join(root, path),
    held: (path) => join(cache, 'files', 'sha256', lineOf(path).slice(0, 64)),
    list: (text) => writeFileSync(list, `${text.join('\n')}\n`),
    lineOf,
    run: (settings = {}, path = process.env.PATH ?? '') => {
      const command = `${mount}bash overlays/scripts/edgefab-files.sh; status=$?; grep -c /files.cache /proc/mounts; exit $status`;
      const { status, stdout, stderr } = spawnSync(
        'unshare',
        ['-m', 'bash', '-c', command, 'x', cache, run],
        {
          encoding: 'utf8',
          env: {
            PATH: path,
            EDGEFAB_RUN: run,
            EDGEFAB_ROOT: root,
            EDGEFAB_FILES_LIST: list,
            EDGEFAB_CACHE_ID: 'cache-1',
            EDGEFAB_RETRY_SECONDS: '0',
            EDGEFAB_WAIT_SECONDS: '0',
            ...settings,
          },
        },
      );
      // Whatever it mounted itself is unmounted.
      expect(stdout).toMatch(/^0$/m);
      const file = join(run, 'files.status');
      return { status, output: stdout + stderr, line: existsSync(file) ? readFileSync(file, 'utf8') : '' };
    },
  };
}

/** No half file, no temporary one. */
function expectNothingBut(at: World['at'], paths: readonly string[]): void {
  const found = readdirSync(at('/'), { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name));
  expect(found.sort()).toEqual(paths.map(at).sort());
}

describe.skipIf(!ready)(`edgefab-files.sh${skipped}`, () => {
  test('puts every file into its place, with its mode, whole; a second time there is nothing to do', () => {
    const { at, held, run } = world();
    const first = run();
    expect(first).toMatchObject({ status: 0, line: expect.stringMatching(/^done - all 2 files/) });
    for (const [path, mode] of [
      [TOOL, 0o755],
      [DATA, 0o644],
    ] as const) {
      expect(readFileSync(at(path)).equals(readFileSync(held(path)))).toBe(true);
      expect(statSync(at(path)).mode & 0o7777).toBe(mode);
    }
    expect(statSync(at('/usr/local/bin/deep')).mode & 0o777).toBe(0o755);
    expectNothingBut(at, [TOOL, DATA]);
    const before = statSync(at(TOOL), { bigint: true });
    rmSync(held(TOOL));
    expect(run()).toMatchObject({ status: 0 });
    expect(statSync(at(TOOL), { bigint: true }).mtimeNs).toBe(before.mtimeNs);
  });

  test.each<[string, (world: World) => void, RegExp]>([
    [
      'a damaged byte',
      ({ held }) => {
        const bytes = readFileSync(held(TOOL));
        bytes[40_000] = (bytes[40_000] ?? 0) ^ 1;
        writeFileSync(held(TOOL), bytes);
      },
      /has other bytes: their sha256 is [0-9a-f]{64}/,
    ],
    ['a missing file', ({ held }) => rmSync(held(TOOL)), /the cache disk does not have it \(files\/sha256\//],
    ['a short file', ({ held }) => truncateSync(held(TOOL), 69_999), /has 69999 bytes, want 70000/],
    ['a long file', ({ held }) => truncateSync(held(TOOL), 1 << 30), /has 1073741824 bytes, want 70000/],
    [
      'a link in place of a file',
      ({ held }) => {
        rmSync(held(TOOL));
        symlinkSync('/etc/passwd', held(TOOL));
      },
      /does not have it/,
    ],
    [
      'a folder in its place',
      ({ at }) => mkdirSync(at(TOOL), { recursive: true }),
      /there is a folder in its place/,
    ],
    [
      'a file where its folder should be',
      ({ at }) => {
        mkdirSync(at('/usr/local/bin'), { recursive: true });
        writeFileSync(at('/usr/local/bin/deep'), '');
      },
      /folder cannot be made/,
    ],
  ])('%s: that file is told, with what to do, and the other is there', (_name, damage, why) => {
    const made = world();
    damage(made);
    const { status, line, output } = made.run();
    expect(status).toBe(2);
    expect(line).toMatch(
      /^stopped - 1 of 2 files .* first \/usr\/local\/bin\/deep\/down\/tool: .*restart this machine\n$/,
    );
    expect(line).toMatch(why);
    expect(output.match(/\(try \d of 3\)/g)).toHaveLength(3);
    expect(existsSync(made.at(`${TOOL}.edgefab-new`))).toBe(false);
    expect(readFileSync(made.at(DATA)).equals(readFileSync(made.held(DATA)))).toBe(true);
  });

  test('what is in the place already and is not the file is replaced', () => {
    const { at, held, run } = world();
    mkdirSync(join(at(TOOL), '..'), { recursive: true });
    writeFileSync(at('/elsewhere'), 'not to be touched');
    symlinkSync(at('/elsewhere'), at(TOOL));
    expect(run()).toMatchObject({ status: 0 });
    expect(readFileSync(at(TOOL)).equals(readFileSync(held(TOOL)))).toBe(true);
    expect(readFileSync(at('/elsewhere'), 'utf8')).toBe('not to be touched');
  });

  test.each([
    ['..', (line: string) => line.replace(TOOL, '/usr/local/bin/../../../etc/passwd')],
    ['a place that is not on the list of places', (line: string) => line.replace(TOOL, '/etc/passwd')],
    ['a relative path', (line: string) => line.replace(TOOL, 'usr/local/bin/x')],
    ['white space', (line: string) => line.replace(TOOL, '/opt/a b')],
    ['a control character', (line: string) => line.replace(TOOL, '/opt/a\u0007b')],
    ['a command', (line: string) => line.replace(TOOL, '/opt/$(touch$IFS/tmp/x)')],
    ['a bare sum', (line: string) => line.slice(0, 64)],
    ['a sum that is a path', (line: string) => `../../../etc/shadow ${line.slice(65)}`],
    ['a size that is a sum', (line: string) => line.replace(' 70000 ', ' a[$(id)] ')],
    ['a size of nothing', (line: string) => line.replace(' 70000 ', ' 0 ')],
    ['set-user', (line: string) => line.replace(' 0755 ', ' 4755 ')],
  ])('a list with %s is refused before anything is copied', (_name, wrong) => {
    const { at, list, lineOf, run } = world();
    list([lineOf(DATA), wrong(lineOf(TOOL))]);
    expect(run()).toMatchObject({
      status: 2,
      line: expect.stringMatching(/^stopped - .* has a bad line: [ -~]+\n$/),
    });
    expectNothingBut(at, []);
  });

  test('a list without a last line break loses no file, and no list is refused', () => {
    const { at, list, lineOf, run } = world();
    list([lineOf(DATA), lineOf(TOOL)]);
    expect(run()).toMatchObject({ status: 0 });
    expectNothingBut(at, [TOOL, DATA]);
    const missing = run({ EDGEFAB_FILES_LIST: '/nonexistent/files.list' });
    expect(missing).toMatchObject({ status: 2, line: expect.stringContaining('cannot be read') });
  });

  test('a cache of another id is not read', () => {
    const { at, run } = world();
    const { status, line } = run({ EDGEFAB_CACHE_ID: 'cache-2', EDGEFAB_LABEL: 'nobody-has-this' });
    expect(status).toBe(2);
    expect(line).toContain('no partition labelled nobody-has-this holds an edgefab cache with id cache-2');
    expectNothingBut(at, []);
  });

  test('nobody mounted the cache (mode preload): it mounts the disk itself, and lets go of it (lsblk is a stand-in)', () => {
    const made = world('disk');
    const { device, close } = openXfsCache(made.cache);
    const programs = standIns();
    programs.add('lsblk', `[[ $1 == -d* ]] || echo '${device} edgefab'`);
    try {
      expect(made.run({}, programs.path)).toMatchObject({ status: 0 });
      expectNothingBut(made.at, [TOOL, DATA]);
    } finally {
      close();
    }
  });

  test('gives the label back where SELinux is (restorecon is a stand-in)', () => {
    const { at, run } = world();
    const selinux = tempFolder();
    writeFileSync(join(selinux, 'enforce'), '1');
    const programs = standIns();
    programs.add('restorecon');
    expect(run({ EDGEFAB_SELINUX: selinux }, programs.path)).toMatchObject({ status: 0 });
    expect(programs.calls()).toEqual(
      expect.arrayContaining([
        `restorecon ${at('/usr/local/bin/deep')}`,
        `restorecon ${at('/usr/local/bin/deep/down')}`,
        `restorecon ${at(`${TOOL}.edgefab-new`)}`,
      ]),
    );
  });
});
