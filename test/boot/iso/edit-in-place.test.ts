import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { expect, it, test } from 'vitest';
import { buildSiteIso, embedInPlace } from '../../../src/boot/iso/build-site-iso.ts';
import { editInPlace, recoverIso } from '../../../src/boot/iso/edit-in-place.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { planSiteIso } from '../../../src/boot/iso/plan-site-iso.ts';
import { undoPath, writeUndo } from '../../../src/boot/iso/undo-file.ts';
import { killAfter } from '../../support/kill-at-random.ts';
import { isoHost as host, liveIso } from '../../support/live-iso.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';

const MODULE = resolve(import.meta.dirname, '../../../src/boot/iso/build-site-iso.ts');
const ignition = Buffer.from('{"ignition":{"version":"3.2.0"}}');
const kargs = { append: ['a=1'], replace: ['ignition.platform.id=metal=qemu'] };

it('writes the areas only, and the same bytes as a copy has', async () => {
  const { source, target } = await liveIso();
  await buildSiteIso({ source, target, ignition, kargs }, host);
  const { ino } = statSync(source);
  const receipt = await embedInPlace(source, { ignition, kargs });
  expect(receipt).toMatchObject({ source, target: source, ignition: { files: ['config.ign'] } });
  expect(readFileSync(source).equals(readFileSync(target))).toBe(true);
  expect(statSync(source).ino).toBe(ino);
  expect(readdirSync(dirname(source)).sort()).toEqual(['live.iso', 'site.iso']);
});

it('keeps the undo file beside the ISO a link leads to', async () => {
  const { source, target } = await liveIso();
  symlinkSync(source, target);
  await editInPlace(target, [{ what: 'x', offset: 0, bytes: Buffer.from('x') }], async () => {
    expect(existsSync(undoPath(source))).toBe(true);
    expect(statSync(undoPath(source)).mode & 0o777).toBe(0o600);
    await expect(
      buildSiteIso({ source: target, target: `${target}2`, ignition }, host),
    ).rejects.toMatchObject({
      code: 'ISO_UNFINISHED',
    });
  });
  expect(existsSync(undoPath(source))).toBe(false);
});

it('puts everything back when the check fails', async () => {
  const { source } = await liveIso();
  const before = readFileSync(source);
  const { regions } = await planSiteIso(await inspectIso(source), { ignition, kargs });
  const edit = editInPlace(source, regions, async (path) => {
    expect(readFileSync(path).equals(before)).toBe(false);
    throw new Error('not good');
  });
  await expect(edit).rejects.toThrow('not good');
  expect(readFileSync(source).equals(before)).toBe(true);
  expect(readdirSync(dirname(source))).toEqual(['live.iso']);
});

it('killed at any point, the next run puts back what was there', { timeout: 120_000 }, async () => {
  const { source } = await liveIso();
  const plain = readFileSync(source);
  const script = `
    import { readFileSync, writeFileSync } from 'node:fs';
    const { embedInPlace } = await import(${JSON.stringify(MODULE)});
    const path = ${JSON.stringify(source)};
    const contents = [1, 2].map((id) => ({ ignition: Buffer.alloc(1000, id), kargs: { append: ['id=' + id] }, force: true }));
    process.stdout.write('ready');
    for (let round = 0; ; round += 1) await embedInPlace(path, contents[round % 2]);
  `;
  const states = new Set([plain.toString('latin1')]);
  for (const id of [1, 2]) {
    const whole = await liveIso();
    await embedInPlace(whole.source, { ignition: Buffer.alloc(1000, id), kargs: { append: [`id=${id}`] } });
    states.add(readFileSync(whole.source, 'latin1'));
  }
  let cutOff = 0;
  // On a busy machine the first change begins late: later rounds wait longer, until some were cut off in the middle.
  for (let round = 0; round < 16 || (cutOff === 0 && round < 200); round += 1) {
    await killAfter(script, ((randomBytes(1)[0] ?? 0) / 8) * (1 + (round % 8)));
    const wasCutOff = existsSync(undoPath(source));
    expect(await recoverIso(source)).toBe(wasCutOff);
    if (wasCutOff) cutOff += 1;
    expect(states.has(readFileSync(source, 'latin1'))).toBe(true);
    expect(await recoverIso(source)).toBe(false);
  }
  expect(cutOff).toBeGreaterThan(0);
  await embedInPlace(source, { ignition, force: true });
  expect(readdirSync(dirname(source))).toEqual(['live.iso']);
});

it('puts back what a half-written area held', async () => {
  const { source } = await liveIso();
  const before = readFileSync(source);
  const { regions } = await planSiteIso(await inspectIso(source), { ignition: madeUpBytes(5000), kargs });
  const changes = regions.map(({ offset, bytes }) => ({
    offset,
    before: before.subarray(offset, offset + bytes.length),
    after: bytes,
  }));
  await writeUndo(source, { owner: '1 0 another-boot', changes });
  const half = Buffer.from(before);
  half.set(changes[0]?.after.subarray(0, 3000) ?? [], changes[0]?.offset);
  half.set(changes[1]?.after ?? [], changes[1]?.offset);
  writeFileSync(source, half);
  expect(await recoverIso(source)).toBe(true);
  expect(readFileSync(source).equals(before)).toBe(true);
});

it('does not put old bytes into another ISO', async () => {
  const { source } = await liveIso();
  const after = Buffer.alloc(100, 'after');
  await writeUndo(source, {
    owner: '1 0 x',
    changes: [{ offset: 0, before: Buffer.alloc(100, 'b'), after }],
  });
  const other = madeUpBytes(400_000);
  writeFileSync(source, other);
  await expect(recoverIso(source)).rejects.toMatchObject({
    code: 'ISO_UNFINISHED',
    suggestions: [expect.stringContaining(undoPath(source))],
  });
  expect(readFileSync(source).equals(other)).toBe(true);
});

it.each([
  ['cut short', (path: string) => writeFileSync(path, readFileSync(path).subarray(0, 200))],
  ['flipped', (path: string) => writeFileSync(path, readFileSync(path).fill(1, 300, 301))],
  ['something else', (path: string) => writeFileSync(path, 'hello')],
])('refuses an undo file that is %s', async (_, damage) => {
  const { source } = await liveIso();
  const before = Buffer.alloc(1000);
  await writeUndo(source, { owner: '1 0 x', changes: [{ offset: 0, before, after: before }] });
  damage(undoPath(source));
  await expect(recoverIso(source)).rejects.toMatchObject({ code: 'ISO_UNFINISHED', exitCode: 4 });
});

it('leaves an ISO alone that another process is changing', async () => {
  const { source } = await liveIso();
  const edit = resolve(import.meta.dirname, '../../../src/boot/iso/edit-in-place.ts');
  const script = `
    const { editInPlace } = await import(${JSON.stringify(edit)});
    const never = (resolve) => setInterval(() => process.exitCode === 1 && resolve(), 1000);
    const check = () => new Promise((resolve) => { process.stdout.write('written'); never(resolve); });
    await editInPlace(${JSON.stringify(source)}, [{ what: 'x', offset: 9, bytes: Buffer.from('new') }], check);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const busy = { code: 'ISO_BUSY', exitCode: 4, message: expect.stringContaining(`process ${child.pid}`) };
  await expect(recoverIso(source)).rejects.toMatchObject(busy);
  await expect(editInPlace(source, [], async () => {})).rejects.toMatchObject(busy);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await recoverIso(source)).toBe(true);
  expect(readFileSync(source).subarray(9, 12)).toEqual(Buffer.alloc(3));
});

test('an undo file is never written over another', async () => {
  const { source } = await liveIso();
  const undo = { owner: '1 0 x', changes: [] };
  await writeUndo(source, undo);
  await expect(writeUndo(source, undo)).rejects.toMatchObject({ code: 'EEXIST' });
  expect(readdirSync(dirname(source)).sort()).toEqual(['.live.iso.edgefab-undo', 'live.iso']);
});

test('what a kill left of an undo file goes with the next one', async () => {
  const { source } = await liveIso();
  const folder = dirname(source);
  const kept = ['.live.iso.edgefab-undo.x.tmp', '.other.iso.edgefab-undo.12.tmp'];
  for (const name of [...kept, '.live.iso.edgefab-undo.12.tmp']) writeFileSync(join(folder, name), '');
  await embedInPlace(source, { kargs });
  expect(readdirSync(folder).sort()).toEqual([...kept, 'live.iso'].sort());
});

it('says that it may not write', async () => {
  const { source } = await liveIso();
  chmodSync(dirname(source), 0o755);
  chmodSync(source, 0o444);
  const user = process.geteuid?.() ?? 0;
  // Root may write everywhere: for the time of the call this process is somebody else.
  if (user === 0) process.seteuid?.(65_534);
  try {
    await expect(embedInPlace(source, { kargs })).rejects.toMatchObject({ code: 'FILE_UNREADABLE' });
  } finally {
    process.seteuid?.(user);
  }
});

test('a renamed copy of an unfinished ISO is not mistaken for it', async () => {
  const { source, target } = await liveIso();
  copyFileSync(source, target);
  await writeUndo(source, { owner: '1 0 x', changes: [] });
  renameSync(source, `${source}.moved`);
  expect(await recoverIso(target)).toBe(false);
});
