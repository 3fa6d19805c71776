import { execFileSync } from 'node:child_process';
import { chmod, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadLocalFiles } from '../src/local-files.ts';
import { localNames } from '../src/local-names.ts';

let base = '';
let filesDir = '';

beforeEach(async () => {
  base = await mkdtemp(join(tmpdir(), 'local-files-test-'));
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
  [
    'a link of a tree that leaves and comes back',
    'tree',
    (dir) => symlink('../../files/a.txt', join(dir, 'tree', 'b')),
  ],
  ['a dangling link outside in a tree', 'tree', (dir) => symlink('../../no', join(dir, 'tree', 'd'))],
  ['an absolute link of a tree', 'tree', (dir) => symlink(join(dir, 'a.txt'), join(dir, 'tree', 'a'))],
  ['a link that climbs through another', 'tree', (dir) => symlink('sub/../../x', join(dir, 'tree', 'c'))],
];

test.each(escapes)('refuses %s', async (_name, name, prepare) => {
  await prepare(filesDir);
  await expect(loadLocalFiles(filesDir, [name])).rejects.toMatchObject({
    code: 'FILE_OUTSIDE',
    message: expect.stringContaining('outside the files folder'),
  });
});

test('loads the named files, their executable bit and links, and nothing else', async () => {
  await symlink('sub/run.sh', join(filesDir, 'tree', 'link'));
  await symlink('tree', join(filesDir, 'linked'));
  const files = await loadLocalFiles(filesDir, ['linked/sub', 'tree', 'missing', 'a.txt/x']);
  const script = new TextEncoder().encode('#!/bin/sh\n');
  expect(Object.fromEntries(files)).toEqual({
    '.': { kind: 'folder' },
    linked: { kind: 'link', target: 'tree', leads: 'tree' },
    tree: { kind: 'folder' },
    'tree/link': { kind: 'link', target: 'sub/run.sh', leads: 'tree/sub/run.sh' },
    'tree/sub': { kind: 'folder' },
    'tree/sub/run.sh': { kind: 'file', bytes: script, executable: true },
  });
});

test('refuses a pipe without waiting for its writer', async () => {
  execFileSync('mkfifo', [join(filesDir, 'pipe')]);
  await expect(loadLocalFiles(filesDir, ['pipe'])).rejects.toMatchObject({ code: 'FILE_UNFIT' });
});

test('refuses a file over the limit before it is read', async () => {
  await writeFile(join(filesDir, 'huge'), '');
  await truncate(join(filesDir, 'huge'), 1024 ** 3);
  await expect(loadLocalFiles(filesDir, ['huge'])).rejects.toMatchObject({ code: 'FILE_UNFIT' });
});

test('refuses more files than the limit', async () => {
  const many = join(filesDir, 'many');
  await mkdir(many);
  for (let i = 0; i < 10_001; i++) await writeFile(join(many, `${i}`), '');
  await expect(loadLocalFiles(filesDir, ['many'])).rejects.toMatchObject({ code: 'FILE_UNFIT' });
});

test('refuses a files folder that is not there', async () => {
  await expect(loadLocalFiles(join(base, 'none'), [])).rejects.toMatchObject({ code: 'FILE_UNFIT' });
});

test.each([
  [
    'every kind of key',
    'a: {local: x}\nb: {contents_local: y}\nc: {ssh_authorized_keys_local: [z, x]}',
    ['x', 'y', 'z'],
  ],
  ['an alias', 'n: &n x\nlocal: *n', ['x']],
  ['an alias of a list', 'n: &n [x, y]\na_local: *n', ['x', 'y']],
  ['an alias inside a list', 'a_local: [&n x, *n, *n]', ['x']],
  ['the anchor before the alias', 'a: &n x\nlocal: *n\nb: &n y\nc: { local: *n }', ['x', 'y']],
  ['an alias of nothing', 'local: *n', []],
  [
    'many aliases without walking the document for each',
    `n: &n x\na:\n${'- local: *n\n'.repeat(50_000)}`,
    ['x'],
  ],
  ['nothing in broken YAML', 'a: [', []],
  ['no other key', 'localhost: x\nlocal_path: y', []],
])('localNames finds %s', (_name, text, names) => {
  expect(localNames(text)).toEqual(names);
});
