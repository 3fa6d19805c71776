import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { buildSiteIso, embedInPlace } from '../../../src/boot/iso/build-site-iso.ts';
import { openPartial, writePatchedCopy } from '../../../src/boot/iso/patched-copy.ts';
import { makeCoreosIso } from '../../support/coreos-iso.ts';
import { killAfter } from '../../support/kill-at-random.ts';
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

  it('changes nothing in place without room for what puts it back', async () => {
    const folder = tmpfs(512);
    const source = join(folder, 'live.iso');
    await makeCoreosIso(source);
    const before = readFileSync(source);
    await expect(embedInPlace(source, { ignition })).rejects.toMatchObject({
      code: 'DISK_FULL',
      exitCode: 5,
    });
    expect(readFileSync(source).equals(before)).toBe(true);
    expect(readdirSync(folder)).toEqual(['live.iso']);
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

it('killed at any point while it builds, there is a whole ISO or none', { timeout: 60_000 }, async () => {
  const folder = tempFolder();
  const source = join(folder, 'live.iso');
  await makeCoreosIso(source);
  const module = resolve(import.meta.dirname, '../../../src/boot/iso/build-site-iso.ts');
  const target = join(folder, 'site.iso');
  const contents = [1, 2].map((id) => ({ ignition: { version: id }, kargs: { append: [`id=${id}`] } }));
  const build = (options: (typeof contents)[number], to: string) =>
    buildSiteIso(
      {
        ...options,
        source,
        target: to,
        ignition: Buffer.from(JSON.stringify(options.ignition)),
        overwrite: true,
      },
      host,
    );
  const states = new Set<string>();
  for (const content of contents) {
    await build(content, target);
    states.add(readFileSync(target, 'latin1'));
  }
  rmSync(target);
  const script = `
    import { randomBytes } from 'node:crypto';
    const { buildSiteIso } = await import(${JSON.stringify(module)});
    const contents = ${JSON.stringify(contents)}.map(({ ignition, kargs }) => ({ ignition: Buffer.from(JSON.stringify(ignition)), kargs }));
    const iso = { source: ${JSON.stringify(source)}, target: ${JSON.stringify(target)}, overwrite: true };
    process.stdout.write('ready');
    for (let round = 0; ; round += 1) await buildSiteIso({ ...iso, ...contents[round % 2] }, { randomBytes });
  `;
  const plain = readFileSync(source);
  let leftovers = 0;
  for (let round = 0; round < 16; round += 1) {
    await killAfter(script, 50 + (randomBytes(1)[0] ?? 0) / 4);
    if (existsSync(target)) expect(states.has(readFileSync(target, 'latin1'))).toBe(true);
    leftovers += readdirSync(folder).filter((name) => name.endsWith('.partial')).length;
    expect(readFileSync(source).equals(plain)).toBe(true);
  }
  expect(leftovers).toBeGreaterThan(0);
  const [content] = contents;
  if (content !== undefined) await build(content, target);
  expect(readdirSync(folder).sort()).toEqual(['live.iso', 'site.iso']);
});

it('says that a file system takes no file that large', async () => {
  const folder = tempFolder();
  const source = join(folder, 'source');
  writeFileSync(source, Buffer.alloc(300_000, 'x'));
  const copy = { source, target: join(folder, 'site.iso'), sizeBytes: 300_000, regions: [] };
  const script = `
    import { randomBytes } from 'node:crypto';
    const { writePatchedCopy } = await import(${JSON.stringify(MODULE)});
    try {
      await writePatchedCopy({ ...${JSON.stringify(copy)}, check: async () => {} }, { randomBytes });
    } catch ({ code, message }) {
      console.log(JSON.stringify({ code, message }));
    }
  `;
  // The limit of a process for the size of its files (setrlimit(2)) gives the same EFBIG as that of FAT.
  const { stdout } = spawnSync(
    'bash',
    ['-c', 'ulimit -f 100; exec "$0" --input-type=module -e "$1"', process.execPath, script],
    { encoding: 'utf8' },
  );
  expect(JSON.parse(stdout)).toEqual({
    code: 'FILESYSTEM_UNFIT',
    message: `file system of ${folder} holds no file of 300000 bytes, as ${copy.target} needs`,
  });
  expect(readdirSync(folder)).toEqual(['source']);
});

it('takes a source that may only be read, and keeps what it makes of it private', async () => {
  const folder = tempFolder();
  const source = join(folder, 'live.iso');
  await makeCoreosIso(source);
  chmodSync(source, 0o444);
  const target = join(folder, 'site.iso');
  await buildSiteIso({ source, target, ignition }, host);
  expect(statSync(target).mode & 0o777).toBe(0o600);
  expect(statSync(source).mode & 0o777).toBe(0o444);
});

it('makes a temporary the target without copying it', async () => {
  const folder = tempFolder();
  const target = join(folder, 'site.iso');
  writeFileSync(join(folder, '.site.iso.0707070707070707.partial'), 'of a killed run');
  const { path, file } = await openPartial(target, host);
  await file.writeFile('some bytes');
  await file.close();
  const { ino } = statSync(path);
  const regions = [{ what: 'x', offset: 5, bytes: Buffer.from('BYTES') }];
  const adopted = { source: path, target, sizeBytes: 10, regions, check: async () => {}, adopt: true };
  await writePatchedCopy(adopted, host);
  expect(readFileSync(target, 'utf8')).toBe('some BYTES');
  expect(statSync(target).ino).toBe(ino);
  expect(readdirSync(folder)).toEqual(['site.iso']);
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
