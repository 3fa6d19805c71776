import { spawn, spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { canMount, mountSmallDisk } from '../support/small-disk.ts';
import { type StandIns, standIns } from '../support/stand-ins.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SCRIPT = 'overlays/scripts/edgefab-keep-cache.sh';
const ID = '{\n  "cacheId": "cache-1",\n  "state": "complete"\n}\n';

interface Node {
  readonly root: string;
  readonly cache: string;
  readonly copy: string;
  readonly programs: StandIns;
  readonly env: Record<string, string>;
  readonly blobs: string[];
}

function addBlob(cache: string, bytes: Uint8Array): string {
  const hex = createHash('sha256').update(bytes).digest('hex');
  writeFileSync(join(cache, 'blobs/sha256', hex), bytes);
  return hex;
}

/** A complete cache as it is mounted, and systemd's part: what serves is looked up at every restart. */
function node(): Node {
  const root = tempFolder();
  const cache = join(root, 'run/cache');
  const copy = join(root, 'copy');
  for (const folder of ['blobs/sha256', 'views/dir/quay.io/a@sha256-1', 'lists', 'tmp'])
    mkdirSync(join(cache, folder), { recursive: true });
  const blobs = [1, 70_000, 3_000_000].map((size) => addBlob(cache, randomBytes(size)));
  symlinkSync(
    `../../../../blobs/sha256/${blobs[0]}`,
    join(cache, 'views/dir/quay.io/a@sha256-1', String(blobs[0])),
  );
  writeFileSync(join(cache, 'views/dir/quay.io/a@sha256-1/version'), 'Directory Transport Version: 1.1\n');
  writeFileSync(join(cache, 'lists/mapping.txt'), 'a=b\n');
  writeFileSync(join(cache, 'tmp/x.partial'), 'half');
  for (const name of ['oci-layout', 'index.json', 'edgefab.lock'])
    writeFileSync(join(cache, name), `${name}\n`);
  writeFileSync(join(cache, 'edgefab-cache.json'), ID);
  const source = join(root, 'run/cache.source');
  writeFileSync(source, '/dev/sdb1\n');
  const programs = standIns();
  programs.add(
    'systemctl',
    `[[ "$*" == 'restart edgefab-cache.service' ]] || exit 0
     if [[ -f '${copy}/edgefab-cache.json' ]]; then echo '${copy}' >'${source}'; else echo /dev/sdb1 >'${source}'; fi`,
  );
  const env = {
    PATH: programs.path,
    EDGEFAB_CACHE_ID: 'cache-1',
    EDGEFAB_RUN: join(root, 'run'),
    EDGEFAB_COPY: copy,
    EDGEFAB_KEEP_FREE_BYTES: '0',
    EDGEFAB_RELABEL: 'no',
  };
  return { root, cache, copy, programs, env, blobs };
}

interface Run {
  readonly status: number | null;
  readonly said: string;
}

const saidOf = (on: Node): string => readFileSync(join(on.root, 'run/keep-cache.status'), 'utf8').trim();

function keep(on: Node, settings: Record<string, string> = {}): Run {
  const { status } = spawnSync('bash', [SCRIPT], { encoding: 'utf8', env: { ...on.env, ...settings } });
  return { status, said: saidOf(on) };
}

const DONE = {
  status: 0,
  said: 'done - the node serves from its own copy of the cache: the cache disk may be removed',
};

describe('edgefab-keep-cache.sh', () => {
  test('copies the cache as it is, without half files, and switches over to it', () => {
    const on = node();
    expect(keep(on)).toEqual(DONE);
    expect(readdirSync(on.copy).sort()).toEqual([...readdirSync(on.cache)].sort());
    expect(readdirSync(join(on.copy, 'tmp'))).toEqual([]);
    expect(spawnSync('diff', ['-r', '--exclude=tmp', on.cache, on.copy], { encoding: 'utf8' }).stdout).toBe(
      '',
    );
    const link = join(on.copy, 'views/dir/quay.io/a@sha256-1', String(on.blobs[0]));
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readlinkSync(link)).toBe(`../../../../blobs/sha256/${on.blobs[0]}`);
    expect(readFileSync(link)).toHaveLength(1);
    expect(on.programs.calls()).toEqual([
      'systemctl stop edgefab-registry.service',
      'systemctl restart edgefab-cache.service',
      'systemctl start edgefab-registry.service',
      'systemctl restart edgefab-registry-ready.service',
    ]);
  });

  test('once it serves from the copy nothing is done, also without the disk', () => {
    const on = node();
    keep(on);
    const calls = on.programs.calls().length;
    rmSync(on.cache, { recursive: true });
    expect(keep(on)).toEqual(DONE);
    expect(on.programs.calls()).toHaveLength(calls);
  });

  test('goes on where it was cut off, and heals what the cut left', async () => {
    const on = node();
    // The program that hashes hangs: the power goes then.
    on.programs.add('sha256sum', 'sleep 60');
    const first = on.blobs.toSorted()[0] ?? '';
    const child = spawn('bash', [SCRIPT], { env: on.env, stdio: 'ignore', detached: true });
    await expect.poll(() => existsSync(join(on.copy, `tmp/${first}.partial`))).toBe(true);
    process.kill(-(child.pid ?? 0), 'SIGKILL');
    await once(child, 'close');
    expect(readdirSync(join(on.copy, 'blobs/sha256'))).toEqual([]);
    expect(existsSync(join(on.copy, 'edgefab-cache.json'))).toBe(false);
    expect(saidOf(on)).toMatch(/^copying - 1 of 3 blobs are being copied/);

    // One blob came whole; of another the power cut left the right size and wrong bytes.
    const [whole = '', torn = ''] = on.blobs;
    writeFileSync(join(on.copy, 'blobs/sha256', whole), readFileSync(join(on.cache, 'blobs/sha256', whole)));
    writeFileSync(join(on.copy, 'blobs/sha256', torn), Buffer.alloc(70_000));
    on.programs.add('sha256sum', 'exec /usr/bin/sha256sum "$@"');
    const inode = (): number => statSync(join(on.copy, 'blobs/sha256', whole)).ino;
    const before = inode();
    expect(keep(on)).toEqual({
      status: 1,
      said: expect.stringContaining(`blob ${torn} reads back wrong from the node's disk`),
    });
    expect(existsSync(join(on.copy, 'edgefab-cache.json'))).toBe(false);
    expect(keep(on)).toEqual(DONE);
    expect(spawnSync('diff', ['-r', '--exclude=tmp', on.cache, on.copy], { encoding: 'utf8' }).stdout).toBe(
      '',
    );
    // What was whole was not copied again.
    expect(inode()).toBe(before);
  });

  test('a damaged blob on the disk stops it, by name', () => {
    const on = node();
    const [, bad = ''] = on.blobs;
    writeFileSync(join(on.cache, 'blobs/sha256', bad), Buffer.alloc(70_000));
    const run = keep(on);
    expect(run).toEqual({
      status: 1,
      said: expect.stringMatching(new RegExp(`^stopped - blob ${bad} on the cache disk has the digest`)),
    });
    expect(run.said).toContain('leave the cache disk plugged in');
    expect(existsSync(join(on.copy, 'blobs/sha256', bad))).toBe(false);
    expect(existsSync(join(on.copy, 'edgefab-cache.json'))).toBe(false);
    expect(on.programs.calls()).toEqual([]);
  });

  test('a copy the registry does not start from is given up, and the disk serves again', () => {
    const on = node();
    on.programs.add(
      'systemctl',
      `case "$*" in
        'restart edgefab-registry-ready.service') [[ ! -f '${on.copy}/edgefab-cache.json' ]] ;;
        'restart edgefab-cache.service') echo /dev/sdb1 >'${on.root}/run/cache.source' ;;
      esac`,
    );
    expect(keep(on)).toEqual({
      status: 1,
      said: expect.stringMatching(/^stopped - the registry does not serve from the copy/),
    });
    expect(existsSync(join(on.copy, 'edgefab-cache.json'))).toBe(false);
    // Started from the disk once more.
    expect(on.programs.calls()).toHaveLength(8);
  });

  test.each([
    ['nothing is mounted', (on: Node) => rmSync(on.cache, { recursive: true }), /no cache is mounted/],
    [
      'the cache is not complete',
      (on: Node) => writeFileSync(join(on.cache, 'edgefab-cache.json'), ID.replace('complete', 'incomplete')),
      /is not complete/,
    ],
    [
      'it is another cache',
      (on: Node) => writeFileSync(join(on.cache, 'edgefab-cache.json'), ID.replace('cache-1', 'cache-2')),
      /another id than cache-1/,
    ],
    [
      'it holds no blobs',
      (on: Node) => rmSync(join(on.cache, 'blobs'), { recursive: true }),
      /holds no blobs/,
    ],
  ])('stops when %s', (_name, spoil, said) => {
    const on = node();
    spoil(on);
    expect(keep(on)).toEqual({ status: 1, said: expect.stringMatching(said) });
  });

  test.skipIf(!canMount)('leaves room on the disk (needs root and a loop device)', () => {
    const on = node();
    const disk = mountSmallDisk(8 * 1024 * 1024);
    const copy = { EDGEFAB_COPY: join(disk, 'cache') };
    expect(keep(on, { ...copy, EDGEFAB_KEEP_FREE_BYTES: '' })).toEqual({
      status: 1,
      said: expect.stringMatching(/MiB free, and the copy needs 2 MiB beside the 40960 MiB that stay free/),
    });
    expect(readdirSync(join(disk, 'cache/blobs/sha256'))).toEqual([]);
    expect(keep(on, { ...copy, EDGEFAB_KEEP_FREE_BYTES: String(4 * 1024 * 1024) }).said).toMatch(
      /beside the 4 MiB/,
    );
  });

  test.skipIf(!canMount)(
    'a disk that fills up in the middle leaves no half blob (needs root and a loop device)',
    () => {
      const on = node();
      const disk = mountSmallDisk(4 * 1024 * 1024);
      const big = addBlob(on.cache, randomBytes(6_000_000));
      // df is told a lie, as when another program writes at the same time.
      on.programs.add('df', 'echo; echo 99999999999 99999999999');
      expect(keep(on, { EDGEFAB_COPY: join(disk, 'cache') })).toEqual({
        status: 1,
        said: expect.stringMatching(/could not be copied \(disk error or disk full\)/),
      });
      expect(existsSync(join(disk, 'cache/blobs/sha256', big))).toBe(false);
      expect(readdirSync(join(disk, 'cache/tmp'))).toEqual([]);
    },
  );
});
