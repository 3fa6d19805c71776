import { existsSync } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadLocalFiles } from '../src/local-files.ts';
import { stageFolder } from '../src/staged-folder.ts';

let filesDir = '';
beforeEach(async () => {
  filesDir = await mkdtemp(join(tmpdir(), 'staged-folder-test-'));
  await mkdir(join(filesDir, 'tree'));
  await writeFile(join(filesDir, 'a.txt'), 'a');
  await writeFile(join(filesDir, 'tree', 'run.sh'), '#!/bin/sh\n', { mode: 0o755 });
  await symlink('run.sh', join(filesDir, 'tree', 'link'));
  await symlink(join(filesDir, 'a.txt'), join(filesDir, 'absolute'));
});
afterEach(() => rm(filesDir, { recursive: true, force: true }));

test('writes the named files, their executable bit and links, and nothing else; then removes them', async () => {
  const staged = await stageFolder(await loadLocalFiles(filesDir, ['tree', 'absolute', 'missing']));
  const at = (...path: string[]) => join(staged.folder, ...path);
  expect((await readdir(staged.folder)).sort()).toEqual(['a.txt', 'absolute', 'tree']);
  expect(await readlink(at('tree', 'link'))).toBe('run.sh');
  expect((await lstat(at('tree', 'run.sh'))).mode & 0o111).not.toBe(0);
  expect(await readFile(at('tree', 'link'), 'utf8')).toBe('#!/bin/sh\n');
  // The link would lead back to the original; it leads to the copy.
  expect(await readlink(at('absolute'))).toBe('a.txt');
  await staged[Symbol.asyncDispose]();
  expect(existsSync(staged.folder)).toBe(false);
});
