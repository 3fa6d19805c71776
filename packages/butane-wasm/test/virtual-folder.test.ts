import { expect, test } from 'vitest';
import type { LocalFiles, LocalNode } from '../src/local-files.ts';
import { virtualFolder } from '../src/virtual-folder.ts';

const file: LocalNode = { kind: 'file', bytes: new Uint8Array([1]), executable: false };
const files: LocalFiles = new Map<string, LocalNode>([
  ['.', { kind: 'folder' }],
  ['d', { kind: 'folder' }],
  ['d/f', file],
  ['to-file', { kind: 'link', target: 'd/f', leads: 'd/f' }],
  ['to-folder', { kind: 'link', target: 'd', leads: 'd' }],
  ['d/up', { kind: 'link', target: '..', leads: '.' }],
  ['dangling', { kind: 'link', target: 'x', leads: undefined }],
]);
const folder = virtualFolder('/a/b', files);

test.each([
  ['the root', '.', true, 'folder'],
  ['a folder above', 'a', true, 'folder'],
  ['the files folder', 'a/b', true, 'folder'],
  ['a file', 'a/b/d/f', true, 'file'],
  ['a link followed', 'a/b/to-file', true, 'file'],
  ['a link itself', 'a/b/to-file', false, 'link'],
  ['a file through a linked folder', 'a/b/to-folder/f', false, 'file'],
  ['a file through links up and down', 'a/b/d/up/to-folder/f', true, 'file'],
  ['a dangling link', 'a/b/dangling', true, undefined],
  ['a dangling link itself', 'a/b/dangling', false, 'link'],
  ['a name that is not there', 'a/b/x', true, undefined],
  ['a name below a file', 'a/b/d/f/x', true, undefined],
  ['a name beside the files folder', 'a/c', true, undefined],
  ['a file of the machine', 'etc/passwd', true, undefined],
  ['dots, which are no folder here', 'a/b/../../etc', true, undefined],
])('finds %s', (_name, path, follow, kind) => {
  expect(folder.find(path, follow)?.kind).toBe(kind);
});

test.each([
  ['the root', '.', ['a']],
  ['the files folder', 'a/b', ['d', 'dangling', 'to-file', 'to-folder']],
  ['a linked folder', 'a/b/to-folder', ['f', 'up']],
  ['a file', 'a/b/d/f', []],
])('lists %s', (_name, path, names) => {
  expect(
    folder
      .list(path)
      .map(({ name }) => name)
      .sort(),
  ).toEqual(names);
});

test('without files there is a root and nothing in it', () => {
  const empty = virtualFolder('/', new Map());
  expect(empty.list('.')).toEqual([]);
  expect(empty.find('etc', true)).toBeUndefined();
});

test('files at the root of everything are found', () => {
  expect(virtualFolder('/', files).find('d/f', true)?.kind).toBe('file');
});
