import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { unpackInstaller } from '../../../src/factory/fetch/unpack-installer.ts';
import { madeBytes } from '../../support/made-image.ts';
import { sha256, tarGz } from '../../support/release-mirror.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const PROGRAM = madeBytes('a program', 300_000).toString('latin1');
const LIMITS = { maxProgramBytes: 2_000_000, maxArchiveBytes: 4_000_000 };
const NAME = 'openshift-install';

interface Unpacked {
  readonly folder: string;
  readonly told: string[];
  readonly run: Promise<string>;
}

function unpack(archive: Buffer, signal = new AbortController().signal): Unpacked {
  const folder = tempFolder();
  const path = join(folder, 'archive.tar.gz');
  const target = join(folder, 'program');
  writeFileSync(path, archive);
  const told: string[] = [];
  const beforeName = async (digest: string): Promise<void> => {
    expect(existsSync(target)).toBe(false);
    told.push(digest);
  };
  return { folder, told, run: unpackInstaller(path, target, signal, beforeName, LIMITS) };
}

test.each([
  [
    'first',
    [
      [{ name: NAME }, PROGRAM],
      [{ name: 'README.md' }, 'read'],
    ],
  ],
  [
    'behind others, with ./',
    [
      [{ name: 'README.md' }, 'x'.repeat(70_000)],
      [{ name: `./${NAME}` }, PROGRAM],
    ],
  ],
  [
    'beside what points out of the folder',
    [
      [{ name: '../evil' }, 'evil'],
      [{ name: '/etc/evil' }, 'evil'],
      [{ name: NAME }, PROGRAM],
    ],
  ],
  ['setuid in the archive', [[{ name: NAME, mode: 0o4777 }, PROGRAM]]],
] as const)('takes the program, %s, and nothing else', async (_name, members) => {
  const { folder, told, run } = unpack(await tarGz(members));
  const digest = await run;
  expect(digest).toBe(`sha256:${sha256(Buffer.from(PROGRAM))}`);
  expect(told).toEqual([digest]);
  expect(readdirSync(folder).sort()).toEqual(['archive.tar.gz', 'program']);
  expect(readFileSync(join(folder, 'program'), 'utf8')).toBe(PROGRAM);
  expect(statSync(join(folder, 'program')).mode & 0o7777).toBe(0o755);
});

const good = tarGz([[{ name: NAME }, PROGRAM]]);

test.each<[string, () => Promise<Buffer>, RegExp]>([
  ['a symbolic link', () => tarGz([[{ name: NAME, type: 'symlink', linkname: '/bin/sh' }, '']]), /as a link/],
  [
    'a hard link',
    () =>
      tarGz([
        [{ name: 'a' }, 'a'],
        [{ name: NAME, type: 'link', linkname: 'a' }, ''],
      ]),
    /as a link/,
  ],
  ['a folder', () => tarGz([[{ name: NAME, type: 'directory' }, '']]), /as a folder/],
  ['a pipe', () => tarGz([[{ name: NAME, type: 'fifo' }, '']]), /as something else/],
  ['no program', () => tarGz([[{ name: 'README.md' }, 'x']]), /holds no openshift-install/],
  ['a program elsewhere', () => tarGz([[{ name: `../${NAME}` }, 'x']]), /holds no openshift-install/],
  [
    'two programs',
    () =>
      tarGz([
        [{ name: NAME }, 'a'],
        [{ name: `./${NAME}` }, 'b'],
      ]),
    /twice/,
  ],
  ['an empty program', () => tarGz([[{ name: NAME }, '']]), /with 0 bytes/],
  [
    'a program that is too large',
    () => tarGz([[{ name: NAME }, 'x'.repeat(2_000_001)]]),
    /with 2000001 bytes, want 1 to 2000000/,
  ],
  [
    'too much beside it',
    () =>
      tarGz([
        [{ name: 'bomb' }, '\0'.repeat(5_000_000)],
        [{ name: NAME }, 'x'],
      ]),
    /unpacks to more than 4000000 bytes/,
  ],
  [
    'an archive cut short',
    async () => (await good).subarray(0, -2000),
    /is no gzip archive, or is cut short/,
  ],
  [
    'a tar cut short',
    async () => gzipSync(Buffer.concat([(await untarred()).subarray(0, 100_000)])),
    /ends in the middle of an entry/,
  ],
  ['no gzip', async () => Buffer.from(PROGRAM), /is no gzip archive/],
  ['no tar', async () => gzipSync(PROGRAM), /wrong checksum, or is not a tar/],
  ['nothing', async () => Buffer.alloc(0), /is no gzip archive|holds no/],
])('refuses %s and leaves nothing', async (_name, make, message) => {
  const { folder, told, run } = unpack(await make());
  await expect(run).rejects.toMatchObject({ code: 'TAR_INVALID', message: expect.stringMatching(message) });
  expect(told).toEqual([]);
  expect(readdirSync(folder)).toEqual(['archive.tar.gz']);
});

async function untarred(): Promise<Buffer> {
  return gunzipSync(await good);
}

test('an interrupted one leaves nothing', async () => {
  const stop = new AbortController();
  const { folder, run } = unpack(await good, stop.signal);
  stop.abort();
  await expect(run).rejects.toBe(stop.signal.reason);
  expect(readdirSync(folder)).toEqual(['archive.tar.gz']);
});
