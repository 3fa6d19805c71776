import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { writePatchedCopy } from '../../../src/boot/iso/patched-copy.ts';
import { makeCoreosIso } from '../../support/coreos-iso.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const host = { randomBytes: (size: number) => randomBytes(size) };
const ignition = Buffer.from('{"ignition":{"version":"3.2.0"}}');
const MODULE = resolve(import.meta.dirname, '../../../src/boot/iso/patched-copy.ts');

function canMount(): boolean {
  return spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'tmpfs', '/mnt']).status === 0;
}
const mountable = canMount();

function tmpfs(sizeKiB: number): string {
  const folder = join(tempFolder(), 'small');
  mkdirSync(folder);
  expect(spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k`, 'tmpfs', folder]).status).toBe(0);
  onTestFinished(() => {
    spawnSync('umount', [folder]);
  });
  return folder;
}

describe.skipIf(!mountable)(`on a full disk${mountable ? '' : ' (SKIPPED: may not mount a tmpfs)'}`, () => {
  it('says DISK_FULL with the numbers and leaves nothing', async () => {
    const source = join(tempFolder(), 'live.iso');
    await makeCoreosIso(source);
    const folder = tmpfs(128);
    const target = join(folder, 'site.iso');
    const built = buildSiteIso({ source, target, ignition }, host);
    await expect(built).rejects.toMatchObject({ code: 'DISK_FULL', exitCode: 5, place: { file: target } });
    await expect(built).rejects.toThrow(`disk is full: ${target} needs ${statSync(source).size} bytes, `);
    expect(readdirSync(folder)).toEqual([]);
  });

  it('keeps the ISO that was there before', async () => {
    const source = join(tempFolder(), 'live.iso');
    await makeCoreosIso(source);
    const folder = tmpfs(512);
    const target = join(folder, 'site.iso');
    await buildSiteIso({ source, target, ignition }, host);
    const before = readFileSync(target);
    const again = buildSiteIso({ source, target, ignition: Buffer.from('{}'), overwrite: true }, host);
    await expect(again).rejects.toMatchObject({ code: 'DISK_FULL' });
    expect(readFileSync(target).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['site.iso']);
  });
});

it('removes the copy when the check fails', async () => {
  const folder = tempFolder();
  const source = join(folder, 'source');
  writeFileSync(source, 'some bytes');
  const target = join(folder, 'target');
  const check = async (path: string) => {
    expect(readFileSync(path, 'utf8')).toBe('some BYTES');
    expect(readdirSync(folder)).not.toContain('target');
    throw new Error('not good');
  };
  const regions = [{ what: 'x', offset: 5, bytes: Buffer.from('BYTES') }];
  await expect(writePatchedCopy({ source, target, sizeBytes: 10, regions, check }, host)).rejects.toThrow(
    'not good',
  );
  expect(readdirSync(folder)).toEqual(['source']);
});

it('killed before the end leaves nothing under the final name, and the next run cleans up', async () => {
  const folder = tempFolder();
  const source = join(folder, 'source');
  writeFileSync(source, 'some bytes');
  const target = join(folder, 'site.iso');
  const copy = { source, target, sizeBytes: 10, regions: [] };
  const script = `
    const { writePatchedCopy } = await import(${JSON.stringify(MODULE)});
    const check = () => new Promise(() => { process.stdout.write('written'); setInterval(() => {}, 1000); });
    await writePatchedCopy({ ...${JSON.stringify(copy)}, check }, { randomBytes: (size) => new Uint8Array(size).fill(7) });
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readdirSync(folder).sort()).toEqual(['.site.iso.0707070707070707.partial', 'source']);

  const alike = ['.site.iso.backup', '.site.iso.0707.partial', '.other.iso.0707070707070707.partial'];
  for (const name of alike) writeFileSync(join(folder, name), '');
  await writePatchedCopy({ ...copy, check: async () => {} }, host);
  expect(readdirSync(folder).sort()).toEqual([...alike, 'site.iso', 'source'].sort());
});

it('two runs for one target at once end with one whole file', async () => {
  const folder = tempFolder();
  const source = join(folder, 'live.iso');
  await makeCoreosIso(source);
  const target = join(folder, 'site.iso');
  const runs = Array.from({ length: 6 }, () =>
    buildSiteIso({ source, target, ignition, overwrite: true }, host),
  );
  const results = await Promise.allSettled(runs);
  expect(results.some(({ status }) => status === 'fulfilled')).toBe(true);
  await buildSiteIso({ source, target: join(folder, 'alone.iso'), ignition }, host);
  expect(readFileSync(target).equals(readFileSync(join(folder, 'alone.iso')))).toBe(true);
});
