import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, truncateSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import type { DeviceSignature } from '../../../src/disk/device/block-device.ts';
import { confirmationOf } from '../../../src/disk/device/describe-device.ts';
import { unfinishedMark } from '../../../src/disk/device/unfinished-mark.ts';
import { BLOCK_BYTES, HEAD_BYTES, imageBlocks, openBootImage } from '../../../src/disk/stick/boot-image.ts';
import { consented, type PlannedStick, planSticks } from '../../../src/disk/stick/plan-sticks.ts';
import { sticksError, type WriteSticksOptions, writeSticks } from '../../../src/disk/stick/write-sticks.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { type BlankLoop, makeBlankLoop } from '../../support/blank-loop.ts';
import { canMount } from '../../support/small-disk.ts';
import { makeStickImage } from '../../support/stick-image.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const TOOLS = ['losetup', 'wipefs', 'blkid', 'partx', 'sgdisk', 'blockdev', 'mount'];
const ready = canMount && haveTools(...TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs root, a loop device and ${TOOLS.join(', ')})`;
const MIB = 1024 * 1024;
const STICK_BYTES = 64 * MIB;

function head(image: string, length = HEAD_BYTES, offset = 0): Buffer {
  const bytes = Buffer.alloc(length);
  const file = openSync(image, 'r');
  readSync(file, bytes, 0, length, offset);
  closeSync(file);
  return bytes;
}

/** What the beginning of a stick is while it is not finished. */
function marked(): Buffer {
  const bytes = Buffer.alloc(HEAD_BYTES);
  bytes.set(unfinishedMark());
  return bytes;
}

function expectHolds(stick: BlankLoop, iso: Buffer): void {
  execFileSync('sync', [stick.device]);
  expect(head(stick.image, iso.length).equals(iso)).toBe(true);
}

async function plan(path: string, sticks: readonly BlankLoop[]): Promise<PlannedStick[]> {
  const image = await openBootImage(path);
  onTestFinished(() => image.file.close());
  const consent = { yes: true, wipe: false, confirmed: [] };
  const pairs = sticks.map(({ device }) => ({ path: device, image }));
  const planned = await planSticks(pairs, consent, realHost);
  return planned.map((stick) => consented(stick, [confirmationOf(stick.device).text]));
}

/** An ISO of so many bytes, and sticks it is written to. */
async function made(
  isoBytes: number,
  sticks: readonly BlankLoop[],
): Promise<{ path: string; iso: Buffer; planned: PlannedStick[] }> {
  const path = join(tempFolder(), 'boot.iso');
  const iso = makeStickImage(path, isoBytes);
  return { path, iso, planned: await plan(path, sticks) };
}

/** A stick of which one more signature is known; what it says of itself stays the same. */
function withSignature(stick: PlannedStick, more: DeviceSignature): PlannedStick {
  const { content } = stick.device;
  if (content.kind !== 'signatures') throw new Error(`content is ${content.kind}`);
  const signatures = [...content.signatures, more];
  return { ...stick, device: { ...stick.device, content: { ...content, signatures } } };
}

const run = (
  planned: readonly PlannedStick[],
  options: WriteSticksOptions = {},
): ReturnType<typeof writeSticks> => writeSticks(planned, options, realHost);

test('an image is cut in its head and larger blocks', () => {
  expect(imageBlocks(HEAD_BYTES - 1)).toEqual([{ offset: 0, length: HEAD_BYTES - 1 }]);
  expect(imageBlocks(HEAD_BYTES + BLOCK_BYTES + 7)).toEqual([
    { offset: 0, length: HEAD_BYTES },
    { offset: HEAD_BYTES, length: BLOCK_BYTES },
    { offset: HEAD_BYTES + BLOCK_BYTES, length: 7 },
  ]);
});

describe.skipIf(!ready)(`sticks are written, and read back${skipped}`, () => {
  test('one ISO to three sticks at once, each as large as it tells', async () => {
    const sticks = [1, 2, 3].map(() => makeBlankLoop(STICK_BYTES));
    const { iso, planned } = await made(18 * MIB + 2048, sticks);
    const told = new Map<string, number>();
    const results = await run(planned, {
      onStep: ({ device, phase, bytes }) =>
        told.set(`${device} ${phase}`, (told.get(`${device} ${phase}`) ?? 0) + bytes),
    });
    expect(results.map(({ state }) => state)).toEqual(['written', 'written', 'written']);
    expect(sticksError(results)).toBeUndefined();
    for (const stick of sticks) expectHolds(stick, iso);
    expect([...told.values()]).toEqual(Array.from({ length: 6 }, () => iso.length));
  });

  test.each([
    ['smaller than the head', 300_000, []],
    ['of a size that is no whole sector', 5 * MIB + 2048, ['-b', '4096']],
    ['that fills the stick to the last byte', STICK_BYTES, []],
  ] as const)('an ISO %s', async (_, isoBytes, options) => {
    const stick = makeBlankLoop(STICK_BYTES, options);
    const { iso, planned } = await made(isoBytes, [stick]);
    expect(await run(planned)).toMatchObject([{ state: 'written' }]);
    expectHolds(stick, iso);
    // The rest of the last sector.
    expect(head(stick.image, 2048, isoBytes).every((byte) => byte === 0)).toBe(true);
  });

  test('through the page cache, where it cannot be passed by', async () => {
    const stick = makeBlankLoop(STICK_BYTES);
    const { iso, planned } = await made(9 * MIB, [stick]);
    expect(await run(planned, { direct: false })).toMatchObject([{ state: 'written' }]);
    expectHolds(stick, iso);
  });

  test('what an older use left beyond the ISO is gone', async () => {
    const stick = makeBlankLoop(STICK_BYTES);
    execFileSync('sgdisk', ['-n', '1:2048:0', '-c', '1:old', stick.device], { stdio: 'ignore' });
    // The second superblock of a btrfs is 64 MiB in; here its magic stands for what may be anywhere.
    const { planned } = await made(8 * MIB, [stick]);
    expect(planned[0]?.device.content).toMatchObject({ partitions: [{ name: 'old' }] });
    const later = { offset: 40 * MIB, type: 'gpt' };
    const file = openSync(stick.device, 'r+');
    writeSync(file, Buffer.from('_BHRfS_M'), 0, 8, later.offset);
    closeSync(file);
    expect(await run(planned.map((one) => withSignature(one, later)))).toMatchObject([{ state: 'written' }]);
    execFileSync('sync', [stick.device]);
    expect(head(stick.image, MIB, STICK_BYTES - MIB).every((byte) => byte === 0)).toBe(true);
    expect(head(stick.image, 4096, later.offset).every((byte) => byte === 0)).toBe(true);
    expect(execFileSync('wipefs', ['-n', stick.device], { encoding: 'utf8' })).not.toMatch(/gpt|btrfs/);
  });

  test('one that is mounted keeps all from being written', async () => {
    const [free, mounted] = [makeBlankLoop(STICK_BYTES), makeBlankLoop(STICK_BYTES)];
    execFileSync('mkfs.ext4', ['-q', '-F', mounted.device]);
    const folder = tempFolder();
    execFileSync('mount', [mounted.device, folder]);
    onTestFinished(() => void execFileSync('umount', [folder]));
    const { planned } = await made(2 * MIB, [free, mounted]);
    await expect(run(planned)).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: expect.stringContaining(`mounted at ${folder}`),
    });
    expect(head(free.image, STICK_BYTES).every((byte) => byte === 0)).toBe(true);
  });

  test('one that was mounted in the last moment stops no other', async () => {
    const [free, late] = [makeBlankLoop(STICK_BYTES), makeBlankLoop(STICK_BYTES)];
    execFileSync('mkfs.ext4', ['-q', '-F', late.device]);
    const { iso, planned } = await made(2 * MIB, [free, late]);
    const folder = tempFolder();
    execFileSync('mount', [late.device, folder]);
    onTestFinished(() => void execFileSync('umount', [folder]));
    const results = await run(planned);
    expect(results).toMatchObject([
      { state: 'written' },
      { state: 'untouched', error: { code: 'DEVICE_REFUSED' } },
    ]);
    expectHolds(free, iso);
  });

  test('one that something was copied to since is left alone', async () => {
    const stick = makeBlankLoop(STICK_BYTES);
    const { planned } = await made(2 * MIB, [stick]);
    execFileSync('mkfs.ext4', ['-q', '-F', '-L', 'late', stick.device]);
    expect(await run(planned)).toMatchObject([
      {
        state: 'untouched',
        error: { code: 'DEVICE_REFUSED', message: expect.stringContaining('is ext4 "late"') },
      },
    ]);
    expect(execFileSync('blkid', ['-p', stick.device], { encoding: 'utf8' })).toContain('late');
  });

  test('one device by two names is written once or not at all', async () => {
    const stick = makeBlankLoop(STICK_BYTES);
    await expect(made(2 * MIB, [stick, stick])).rejects.toMatchObject({ code: 'USAGE_INVALID' });
  });
});

describe.skipIf(!ready)(`a stick that failed does not boot${skipped}`, () => {
  test('bytes that changed on the medium are found, and named', async () => {
    const [good, bad] = [makeBlankLoop(STICK_BYTES), makeBlankLoop(STICK_BYTES)];
    const { iso, planned } = await made(20 * MIB, [good, bad]);
    const results = await run(planned, {
      beforeReadBack: async ({ device }) => {
        if (device.path !== bad.device) return;
        const file = openSync(bad.image, 'r+');
        writeSync(file, Buffer.from('rotten'), 0, 6, 10 * MIB);
        closeSync(file);
      },
    });
    expect(results).toMatchObject([
      { state: 'written' },
      {
        state: 'unfinished',
        error: {
          code: 'ISO_READBACK_MISMATCH',
          message: expect.stringContaining(`bytes ${9 * MIB} to ${13 * MIB}`),
        },
      },
    ]);
    expectHolds(good, iso);
    expect(head(bad.image).equals(marked())).toBe(true);
    expect(sticksError(results)).toMatchObject({
      code: 'STICKS_FAILED',
      exitCode: 9,
      message: expect.stringContaining(`${bad.device}: unfinished, it does not boot`),
    });
    expect(sticksError(results.slice(1))).toMatchObject({ code: 'ISO_READBACK_MISMATCH', exitCode: 6 });
  });

  test('a stick smaller than it says fails where it ends', async () => {
    const stick = makeBlankLoop(STICK_BYTES);
    const { planned } = await made(20 * MIB, [stick]);
    const results = await run(planned, {
      beforeReadBack: async () => truncateSync(stick.image, 12 * MIB),
    });
    expect(results[0]).toMatchObject({
      state: 'unfinished',
      error: { exitCode: expect.toSatisfy((code) => code === 5 || code === 6) },
    });
    expect(head(stick.image).equals(marked())).toBe(true);
  });

  test('a stick that fails to write stops no other', async () => {
    const folder = tempFolder();
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', folder]);
    const [good, bad] = [makeBlankLoop(STICK_BYTES), makeBlankLoop(STICK_BYTES, [], folder)];
    onTestFinished(() => void execFileSync('umount', ['-l', folder]));
    const { iso, planned } = await made(30 * MIB, [good, bad]);
    const results = await run(planned);
    expect(results).toMatchObject([
      { state: 'written' },
      {
        state: 'unfinished',
        error: { code: 'DISK_FAILED', exitCode: 5, message: expect.stringContaining('failed to write at') },
      },
    ]);
    expectHolds(good, iso);
    expect(head(bad.image).equals(marked())).toBe(true);
  });

  test("an ISO that is built anew meanwhile is not passed off as the stick's fault", async () => {
    const stick = makeBlankLoop(STICK_BYTES);
    const { path, planned } = await made(20 * MIB, [stick]);
    const results = await run(planned, {
      onHashed: async () => void makeStickImage(path, 20 * MIB),
    });
    expect(results).toMatchObject([{ state: 'unfinished', error: { code: 'ISO_INVALID' } }]);
    expect(head(stick.image).equals(marked())).toBe(true);
  });

  test('one that was interrupted is known by its mark, and is as good as blank', async () => {
    const stick = makeBlankLoop(STICK_BYTES);
    const { path, iso, planned } = await made(20 * MIB, [stick]);
    const abort = new AbortController();
    const results = await run(planned, { signal: abort.signal, onStep: () => abort.abort() });
    expect(results).toMatchObject([{ state: 'unfinished', error: { name: 'AbortError' } }]);
    expect(head(stick.image).equals(marked())).toBe(true);
    const again = await plan(path, [stick]);
    expect(again[0]?.device.content).toEqual({ kind: 'unfinished' });
    expect(await run(again)).toMatchObject([{ state: 'written' }]);
    expectHolds(stick, iso);
  });
});

test.each([
  ['a missing file', undefined, 'FILE_UNREADABLE'],
  ['an empty file', Buffer.alloc(0), 'ISO_INVALID'],
  ['a file too short for a volume descriptor', Buffer.alloc(33_000), 'ISO_INVALID'],
  ['a file without a volume descriptor', Buffer.alloc(100_000), 'ISO_INVALID'],
])('%s is no ISO', async (_, bytes, code) => {
  const path = join(tempFolder(), 'boot.iso');
  if (bytes !== undefined) writeFileSync(path, bytes);
  await expect(openBootImage(path)).rejects.toMatchObject({ code });
});

test('a folder is no ISO', async () => {
  await expect(openBootImage(tempFolder())).rejects.toMatchObject({ code: 'ISO_INVALID' });
});
