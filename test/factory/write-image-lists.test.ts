import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { writeImageLists } from '../../src/factory/write-image-lists.ts';
import { digestFor, lockedImage } from '../support/locked-image.ts';
import { tempFolder } from '../support/temp-folder.ts';

const LOCK = {
  arch: 'x86_64',
  inputs: { imageSet: digestFor('set'), wanted: digestFor('wanted') },
  images: [lockedImage('quay.io/a/b', {}, { tag: 'v1' })],
};
const FILES = ['ai-images.txt', 'ignored-images.txt', 'mapping.txt', 'ocp-images.txt'];

test('the lists replace those of an earlier run, and nothing else is left behind', async () => {
  const root = tempFolder();
  await writeImageLists(root, { ...LOCK, images: [lockedImage('quay.io/a/old', {}, { tag: 'v0' })] });
  await writeImageLists(root, LOCK);
  expect(readdirSync(join(root, 'lists')).sort()).toEqual(FILES);
  expect(readFileSync(join(root, 'lists/mapping.txt'), 'utf8')).toBe(
    `quay.io/a/b@${digestFor('quay.io/a/b')}=a/b:v1\n`,
  );
  expect(readFileSync(join(root, 'lists/ignored-images.txt'), 'utf8')).toBe('');
});

test('a list that cannot get its name fails the run and leaves nothing half', async () => {
  const root = tempFolder();
  mkdirSync(join(root, 'lists/ocp-images.txt'), { recursive: true });
  await expect(writeImageLists(root, LOCK)).rejects.toMatchObject({ code: 'EISDIR' });
  expect(readdirSync(join(root, 'lists')).sort()).toEqual(['ai-images.txt', 'mapping.txt', 'ocp-images.txt']);
});
