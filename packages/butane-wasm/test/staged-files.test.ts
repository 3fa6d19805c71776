import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import {
  chmod,
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  readlink,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { localNames } from '../src/local-names.ts';
import { stageFiles } from '../src/staged-files.ts';

let base = '';
let filesDir = '';

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'staged-test-'));
  filesDir = join(base, 'files');
  await mkdir(join(filesDir, 'tree', 'sub'), { recursive: true });
  await writeFile(join(filesDir, 'a.txt'), 'a');
  await writeFile(join(filesDir, 'tree', 'sub', 'run.sh'), '#!/bin/sh\n');
  await chmod(join(filesDir, 'tree', 'sub', 'run.sh'), 0o755);
  await writeFile(join(base, 'secret'), 'secret');
});
afterEach(() => rm(base, { recursive: true, force: true }));

const escapes: [string, string, (dir: string) => Promise<void>][] = [
  ['..', '../secret', async () => {}],
  ['.. inside a name', 'tree/../../secret', async () => {}],
  ['an absolute name', '/etc/passwd', async () => {}],
  ['a link to an absolute file', 'evil', (dir) => symlink('/etc/passwd', join(dir, 'evil'))],
  ['a link to a relative file', 'evil', (dir) => symlink('../secret', join(dir, 'evil'))],
  [
    'a link to a link',
    'evil',
    async (dir) => {
      await symlink('../secret', join(dir, 'two'));
      await symlink('two', join(dir, 'evil'));
    },
  ],
  ['a linked folder on the way', 'etc/passwd', (dir) => symlink('/etc', join(dir, 'etc'))],
  ['a dangling link outside', 'evil', (dir) => symlink('/nowhere/at/all', join(dir, 'evil'))],
  ['a tree that is a link outside', 'etc', (dir) => symlink('/etc', join(dir, 'etc'))],
  ['a linked folder inside a tree', 'tree', (dir) => symlink('/etc', join(dir, 'tree', 'etc'))],
  [
    'a linked file deep in a tree',
    'tree',
    (dir) => symlink('../../../secret', join(dir, 'tree', 'sub', 's')),
  ],
  ['a link that climbs through another', 'tree', (dir) => symlink('sub/../../x', join(dir, 'tree', 'c'))],
];

test.each(escapes)('refuses %s', async (_name, name, prepare) => {
  await prepare(filesDir);
  await expect(stageFiles(filesDir, [name])).rejects.toMatchObject({
    code: 'FILE_OUTSIDE',
    message: expect.stringContaining('outside the files folder'),
  });
});

test('copies the named files, their executable bit, and nothing else; then removes them', async () => {
  await symlink('sub/run.sh', join(filesDir, 'tree', 'link'));
  const staged = await stageFiles(filesDir, ['tree', 'missing']);
  expect(await readdir(staged.folder)).toEqual(['tree']);
  expect(await readlink(join(staged.folder, 'tree', 'link'))).toBe('sub/run.sh');
  expect((await lstat(join(staged.folder, 'tree', 'sub', 'run.sh'))).mode & 0o111).not.toBe(0);
  expect(await readFile(join(staged.folder, 'tree', 'sub', 'run.sh'), 'utf8')).toBe('#!/bin/sh\n');
  await staged[Symbol.asyncDispose]();
  expect(existsSync(staged.folder)).toBe(false);
});

test('refuses a pipe without waiting for its writer', async () => {
  execFileSync('mkfifo', [join(filesDir, 'pipe')]);
  await expect(stageFiles(filesDir, ['pipe'])).rejects.toMatchObject({ code: 'FILE_UNFIT' });
});

test('refuses a file over the limit before it is read', async () => {
  await writeFile(join(filesDir, 'huge'), '');
  await truncate(join(filesDir, 'huge'), 1024 ** 3);
  await expect(stageFiles(filesDir, ['huge'])).rejects.toMatchObject({ code: 'FILE_UNFIT' });
});

test('refuses a files folder that is not there', async () => {
  await expect(stageFiles(join(base, 'none'), [])).rejects.toMatchObject({ code: 'FILE_UNFIT' });
});

test.each([
  [
    'every kind of key',
    'a: {local: x}\nb: {contents_local: y}\nc: {ssh_authorized_keys_local: [z, x]}',
    ['x', 'y', 'z'],
  ],
  ['an alias', 'n: &n x\nlocal: *n', ['x']],
  ['nothing in broken YAML', 'a: [', []],
  ['no other key', 'localhost: x\nlocal_path: y', []],
])('localNames finds %s', (_name, text, names) => {
  expect(localNames(text)).toEqual(names);
});
