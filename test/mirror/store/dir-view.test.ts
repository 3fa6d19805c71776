import { readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { dirViewLinks, dirViewsOf } from '../../../src/mirror/store/dir-view.ts';
import { openStore } from '../../../src/mirror/store/store.ts';
import { dirViewName } from '../../../src/mirror/store/store-paths.ts';
import { madeLock, makeCache } from '../../support/made-cache.ts';
import { tempFolder } from '../../support/temp-folder.ts';

test('one digest in many repositories has a whole view in each', async () => {
  const folder = tempFolder();
  const root = await makeCache(folder, { 'registry.test/a': { config: 10, one: 100, two: 200 } });
  const [image] = madeLock({ 'registry.test/a': { config: 10, one: 100, two: 200 } }).images;
  if (image === undefined) throw new RangeError('the lock has an image');
  const images = Array.from({ length: 24 }, (_, at) => ({ ...image, source: `registry.test/mirror/${at}` }));
  const lock = { ...madeLock({}), images };
  const store = await openStore(root, { writer: 'edgefab/test', sectorBytes: 512 });
  await store.begin(lock);
  await store.complete(lock);
  for (const view of images.flatMap(dirViewsOf)) {
    const at = join(root, dirViewName(view.repository, view.digest));
    expect(readFileSync(join(at, 'version'), 'utf8')).toContain('Directory Transport');
    for (const [entry, to] of dirViewLinks(root, view)) expect(readlinkSync(join(at, entry))).toBe(to);
  }
});
