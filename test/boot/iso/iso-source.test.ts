import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  linkSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, it, test } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { openIsoSource } from '../../../src/boot/iso/iso-source.ts';
import { isoHost as host, liveIso } from '../../support/live-iso.ts';

const ignition = Buffer.from('{"ignition":{"version":"3.2.0"}}');

it('serves many copies, each as one that was inspected anew', async () => {
  const { source: path, target } = await liveIso();
  const source = await openIsoSource(path);
  const sites = Array.from({ length: 12 }, (_, site) => ({
    target: `${target}.${site}`,
    ignition: Buffer.from(`{"ignition":{"version":"3.2.0"},"site":${site}}`),
    kargs: { append: [`site=${site}`] },
  }));
  await Promise.all(sites.map((site) => buildSiteIso({ ...site, source }, host)));
  for (const site of sites) {
    await buildSiteIso({ ...site, source: path, target }, host);
    expect(readFileSync(site.target).equals(readFileSync(target))).toBe(true);
    rmSync(target);
  }
});

const changes: [string, (path: string) => void][] = [
  ['written to', (path) => writeFileSync(path, readFileSync(path))],
  ['longer', (path) => appendFileSync(path, 'x')],
  ['gone', (path) => rmSync(path)],
  [
    'replaced by a copy of itself',
    (path) => {
      execFileSync('cp', ['-p', path, `${path}.new`]);
      renameSync(`${path}.new`, path);
    },
  ],
  [
    'written to, its time put back',
    (path) => {
      const { atime, mtime } = statSync(path);
      writeFileSync(path, readFileSync(path));
      utimesSync(path, atime, mtime);
    },
  ],
];
test.each(changes)('notices that the file is %s', async (_, change) => {
  const { source: path, target } = await liveIso();
  const source = await openIsoSource(path);
  await source.assertUnchanged();
  change(path);
  await expect(source.assertUnchanged()).rejects.toMatchObject({ code: 'ISO_CHANGED', exitCode: 3 });
  const built = buildSiteIso({ source, target, ignition }, host);
  await expect(built).rejects.toMatchObject({ code: expect.stringMatching(/ISO_CHANGED|FILE_UNREADABLE/) });
  expect(() => statSync(target)).toThrow('ENOENT');
});

it('does not take a copy for a change', async () => {
  const { source: path, target } = await liveIso();
  const source = await openIsoSource(path);
  await buildSiteIso({ source, target, ignition }, host);
  linkSync(target, join(dirname(target), 'other'));
  await source.assertUnchanged();
});
