import {
  copyFileSync,
  lstatSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { readIsoInitrd, readIsoKargs } from '../../../src/boot/iso/read-iso.ts';
import { resetIso } from '../../../src/boot/iso/reset-iso.ts';
import type { DemoIsoOptions } from '../../support/coreos-iso.ts';
import { isoHost, liveIso } from '../../support/live-iso.ts';

const CONFIG = Buffer.from('{"ignition":{"version":"3.2.0"}}');

async function site(options: DemoIsoOptions = {}) {
  const { source, target } = await liveIso(options);
  const { kargs } = await inspectIso(source);
  const edit = kargs === undefined ? {} : { kargs: { append: ['foo=bar'] } };
  await buildSiteIso({ source, target, ignition: CONFIG, ...edit }, isoHost);
  return { live: source, built: target, pristine: readFileSync(source) };
}

describe('an image comes back as it was made', () => {
  const rows: [string, DemoIsoOptions, number][] = [
    ['x86_64', {}, 3],
    ['s390x', { architecture: 's390x' }, 2],
    ['by headers', { generation: 'system-area' }, 3],
    ['of 2020', { generation: 'ignition-header' }, 1],
    ['of 2019', { generation: 'initramfs-tail' }, 1],
  ];
  test.each(rows)('%s', async (_, options, areas) => {
    const { built, pristine } = await site(options);
    const target = `${built}.reset`;
    const before = readFileSync(built);
    const reset = await resetIso({ source: built, target }, isoHost);
    expect(reset.changed).toHaveLength(areas);
    expect(readFileSync(target).equals(pristine)).toBe(true);
    expect(readFileSync(built).equals(before)).toBe(true);
    await resetIso({ source: built }, isoHost);
    expect(readFileSync(built).equals(pristine)).toBe(true);
  });
});

it('leaves an image alone that is as it was made, and copies it all the same', async () => {
  const { live, pristine } = await site();
  const { mtimeMs, ino } = statSync(live);
  const reset = await resetIso({ source: live }, isoHost);
  expect(reset).toMatchObject({ source: live, target: live, changed: [] });
  expect(statSync(live)).toMatchObject({ mtimeMs, ino });
  await resetIso({ source: live, target: `${live}.copy` }, isoHost);
  expect(readFileSync(`${live}.copy`).equals(pristine)).toBe(true);
});

it('is the way out where areas cannot be read', async () => {
  const { built, pristine } = await site();
  const iso = await inspectIso(built);
  const bytes = readFileSync(built);
  bytes.write('this is no archive', iso.ignition.offset, 'latin1');
  bytes.write('another line', iso.kargs?.areas[1]?.offset ?? 0, 'latin1');
  writeFileSync(built, bytes);
  const advice = { suggestions: [expect.stringContaining('edgefab iso reset')] };
  await expect(readIsoInitrd(iso)).rejects.toMatchObject(advice);
  await expect(readIsoKargs(iso)).rejects.toMatchObject(advice);
  await resetIso({ source: built }, isoHost);
  expect(readFileSync(built).equals(pristine)).toBe(true);
});

it('resets the image a symbolic link leads to, and keeps the link', async () => {
  const { built, pristine } = await site();
  const link = join(dirname(built), 'link.iso');
  symlinkSync(built, link);
  await resetIso({ source: link }, isoHost);
  expect(lstatSync(link).isSymbolicLink()).toBe(true);
  expect(readFileSync(built).equals(pristine)).toBe(true);
});

it('replaces no other file, nor its source by that name, and leaves nothing behind', async () => {
  const { live, built, pristine } = await site();
  await expect(resetIso({ source: built, target: live }, isoHost)).rejects.toMatchObject({
    code: 'TARGET_EXISTS',
  });
  await expect(resetIso({ source: built, target: built, overwrite: true }, isoHost)).rejects.toMatchObject({
    code: 'USAGE_INVALID',
  });
  const other = `${live}.other`;
  copyFileSync(built, other);
  await resetIso({ source: built, target: other, overwrite: true }, isoHost);
  expect(readFileSync(other).equals(pristine)).toBe(true);
  expect(readdirSync(dirname(live)).filter((name) => name.includes('partial'))).toEqual([]);
});
