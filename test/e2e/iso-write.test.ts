import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { unfinishedMark } from '../../src/disk/device/unfinished-mark.ts';
import { makeBlankLoop } from '../support/blank-loop.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';
import { canMount } from '../support/small-disk.ts';
import { makeStickImage } from '../support/stick-image.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const TOOLS = ['losetup', 'wipefs', 'blkid', 'partx', 'mkfs.ext4', 'script'];
const ready = canMount && haveTools(...TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs root, a loop device and ${TOOLS.join(', ')})`;
const MIB = 1024 * 1024;
const STICK_BYTES = 64 * MIB;

/** A folder with `out/oslo/oslo.iso` and its receipt. */
function site(isoBytes = 6 * MIB): { cwd: string; iso: Buffer; receipt: string } {
  const cwd = tempFolder();
  const folder = join(cwd, 'out/oslo');
  mkdirSync(folder, { recursive: true });
  const iso = makeStickImage(join(folder, 'oslo.iso'), isoBytes);
  const sha256 = createHash('sha256').update(iso).digest('hex');
  const receipt = join(folder, 'receipt.json');
  writeFileSync(receipt, JSON.stringify({ kind: 'Receipt', iso: { file: 'oslo.iso', sha256 } }));
  return { cwd, iso, receipt };
}

function read(image: string, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  const file = openSync(image, 'r');
  readSync(file, bytes, 0, length, offset);
  closeSync(file);
  return bytes;
}

const nameOf = (device: string): string => `${basename(device)}:${STICK_BYTES}`;

test.each([
  ['no device', ['--iso', 'a.iso'], 'no DEVICE is named'],
  ['nothing at all', [], 'no DEVICE is named'],
  ['no ISO', ['/dev/null'], 'no --iso'],
  ['half a pair', ['--pair', 'oslo'], 'is not SITE=DEVICE'],
  ['a pair without a device', ['--pair', 'oslo='], 'is not SITE=DEVICE'],
])('%s is wrong usage', async (_, args, message) => {
  const { status, stderr } = await runEdgefab(['iso', 'write', ...args]);
  expect(status).toBe(2);
  expect(stderr).toContain(message);
});

test('what is no device is refused', async () => {
  const { cwd } = site();
  const { status, document } = await runEdgefabJson(['iso', 'write', '--pair', 'oslo=/dev/null', '--yes'], {
    cwd,
  });
  expect(status).toBe(7);
  expect(document).toMatchObject({ error: { code: 'DEVICE_REFUSED' } });
});

describe.skipIf(!ready)(`the program writes sticks${skipped}`, () => {
  test('a site to a blank stick and one with content, and both are in its receipt', async () => {
    const { cwd, iso, receipt } = site();
    const [blank, filled] = [makeBlankLoop(STICK_BYTES), makeBlankLoop(STICK_BYTES)];
    execFileSync('mkfs.ext4', ['-q', '-F', filled.device]);
    const pairs = ['--pair', `oslo=${blank.device}`, '--pair', `out/oslo/oslo.iso=${filled.device}`];
    const command = ['iso', 'write', ...pairs];

    const dry = await runEdgefab([...command, '--dry-run'], { cwd });
    expect(dry.status).toBe(0);
    expect(dry.stdout).toContain(`--wipe --yes --confirm '${nameOf(filled.device)}'`);
    const refused = await runEdgefab([...command, '--yes'], { cwd });
    expect(refused.status).toBe(7);
    expect(refused.stderr).toContain('nothing was written, to the other 1 neither');
    expect(read(blank.image, 0, STICK_BYTES).every((byte) => byte === 0)).toBe(true);

    const consent = ['--yes', '--wipe', '--confirm', nameOf(filled.device)];
    const { status, document } = await runEdgefabJson([...command, ...consent], { cwd });
    expect(status).toBe(0);
    const stick = { state: 'written', readBack: 'equal', sizeBytes: STICK_BYTES, serial: null };
    expect(document).toMatchObject({ kind: 'Sticks', sticks: [stick, stick], receipts: [receipt] });
    execFileSync('sync');
    for (const { image } of [blank, filled]) expect(read(image, 0, iso.length).equals(iso)).toBe(true);
    const kept = JSON.parse(readFileSync(receipt, 'utf8')) as { sticks: unknown[] };
    expect(kept.sticks).toHaveLength(2);
    expect(kept.sticks[0]).toMatchObject({ isoSha256: createHash('sha256').update(iso).digest('hex') });
  });

  test('an ISO that is not the one of its receipt is not written', async () => {
    const { cwd } = site();
    const stick = makeBlankLoop(STICK_BYTES);
    makeStickImage(join(cwd, 'out/oslo/oslo.iso'), 6 * MIB);
    const { status } = await runEdgefab(['iso', 'write', '--pair', `oslo=${stick.device}`, '--yes'], { cwd });
    expect(status).toBe(3);
    expect(read(stick.image, 0, STICK_BYTES).every((byte) => byte === 0)).toBe(true);
  });

  test.each([
    ['its name, typed, is enough', true, 0],
    ['another answer is none', false, 7],
  ])('at a terminal it asks: %s', async (_, isRight, status) => {
    const { cwd, iso } = site();
    const stick = makeBlankLoop(STICK_BYTES);
    execFileSync('mkfs.ext4', ['-q', '-F', '-L', 'photos', stick.device]);
    const program = join(import.meta.dirname, '../../bin/edgefab.js');
    const command = `${process.execPath} ${program} iso write --pair oslo=${stick.device}`;
    const child = spawn('script', ['-qec', command, '/dev/null'], { cwd, stdio: ['pipe', 'pipe', 'ignore'] });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('to go on') && !child.stdin.writableEnded)
        child.stdin.end(`${isRight ? nameOf(stick.device) : 'yes'}\n`);
    });
    const [code] = (await once(child, 'exit')) as [number];
    expect(said).toContain('on it now: ext4 "photos"');
    expect(code).toBe(status);
    execFileSync('sync');
    expect(read(stick.image, 0, iso.length).equals(iso)).toBe(isRight);
  });

  test.each([
    ['SIGKILL', null],
    ['SIGINT', 130],
  ] as const)(
    '%s in mid-run leaves a stick that does not boot, and is written again',
    async (signal, status) => {
      const isoBytes = 200 * MIB;
      const { cwd, iso } = site(isoBytes);
      const stick = makeBlankLoop(256 * MIB);
      const command = ['iso', 'write', '--pair', `oslo=${stick.device}`, '--yes'];
      const program = join(import.meta.dirname, '../../bin/edgefab.js');
      const child = spawn(process.execPath, [program, ...command], {
        cwd,
        stdio: ['ignore', 'ignore', 'pipe'],
      });
      let said = '';
      child.stderr.on('data', (chunk: Buffer) => {
        said += chunk.toString();
      });
      for (let tries = 0; tries < 4000; tries += 1) {
        if (read(stick.image, 3 * MIB, 512).some((byte) => byte !== 0)) break;
        await delay(5);
      }
      child.kill(signal);
      const [code] = (await once(child, 'exit')) as [number | null];
      expect(code).toBe(status);
      if (signal === 'SIGINT') expect(said).toContain('unfinished, and made so that it does not boot');
      execFileSync('sync');
      const head = read(stick.image, 0, MIB);
      expect(head.subarray(0, 512).equals(unfinishedMark())).toBe(true);
      expect(head.subarray(512).every((byte) => byte === 0)).toBe(true);
      const again = await runEdgefab(command, { cwd });
      expect(again.status).toBe(0);
      execFileSync('sync');
      expect(read(stick.image, 0, isoBytes).equals(iso)).toBe(true);
    },
  );
});
