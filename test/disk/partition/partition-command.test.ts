import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { backupName, parsePartitionFlags } from '../../../src/commands/terminal/partition-flags.ts';
import { runEdgefab, runEdgefabJson } from '../../support/run-edgefab.ts';
import { canMount } from '../../support/small-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';
import { makeWholeDisk } from '../../support/whole-disk.ts';

const MiB = 1024 ** 2;
const GiB = 1024 ** 3;
const TOOLS = ['script', 'mkfs.ext4', 'sgdisk', 'losetup', 'mkfs.xfs', 'partx', 'blkid', 'wipefs'];
const ready = canMount && haveTools(...TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs root, a loop device and ${TOOLS.join(', ')})`;

const NONE = { 'on-target': false, size: undefined, number: undefined, label: undefined };

test.each([
  [NONE, { number: 1, label: 'edgefab', size: { percent: 100 }, place: 'disk' }],
  [
    { ...NONE, 'on-target': true },
    { number: 5, label: 'edgefab-node', size: { bytes: 250 * GiB }, place: 'target' },
  ],
  [
    { ...NONE, 'on-target': true, size: '300GB', number: 7, label: 'data' },
    { number: 7, label: 'data', size: { bytes: 300e9 }, place: 'target' },
  ],
  [
    { ...NONE, size: '50%' },
    { number: 1, label: 'edgefab', size: { percent: 50 }, place: 'disk' },
  ],
])('flags %j are a wish', (flags, wish) => {
  expect(parsePartitionFlags(flags)).toEqual(wish);
});

test.each([
  [{ ...NONE, size: '0%' }, /--size is "0%"/],
  [{ ...NONE, size: '101%' }, /--size is "101%"/],
  [{ ...NONE, size: 'all' }, /--size is "all", want/],
  [{ ...NONE, label: 'thirteen-char' }, /--label is "thirteen-char", want 1 to 12/],
  [{ ...NONE, label: '-x' }, /--label/],
  [{ ...NONE, label: 'a b' }, /--label/],
  [{ ...NONE, label: '' }, /--label/],
  [{ ...NONE, 'on-target': true, number: 4 }, /--number is 4, want 5 or more/],
])('flags %j are refused', (flags, message) => {
  expect(() => parsePartitionFlags(flags)).toThrow(
    expect.objectContaining({ code: 'USAGE_INVALID', message: expect.stringMatching(message) }),
  );
});

test('the file for the old table is named for disk and time', () => {
  expect(backupName('/dev/disk/by-id/usb-a b:0', new Date('2026-11-21T20:36:22.120Z'))).toBe(
    'edgefab-table-usb-a_b_0-2026-11-21T203622.120Z.json',
  );
});

test.each([
  ['no device', [], 2],
  ['a missing device', ['/dev/nonexistent'], 7],
  ['a file', ['package.json'], 7],
  ['a folder', ['/tmp'], 7],
  ['two things at once', ['/dev/null', '--retry-install', '--restore', 'x'], 2],
  ['a backup that is not there', ['/dev/null', '--restore', '/nonexistent'], 3],
])('%s: the right status', async (_, args, status) => {
  expect((await runEdgefab(['partition', ...args])).status).toBe(status);
});

test('a disk is never named by what happens to be on stdin', () => {
  const { status, stderr } = spawnSync(process.execPath, ['bin/edgefab.js', 'partition', '--dry-run'], {
    input: '/dev/null\n',
    encoding: 'utf8',
  });
  expect({ status, stderr }).toEqual({
    status: 2,
    stderr: expect.stringContaining('Missing 1 required arg'),
  });
});

const headOf = (path: string): Buffer =>
  execFileSync('head', ['-c', String(MiB), path], { maxBuffer: 2 * MiB });

describe.skipIf(!ready)(`the command${skipped}`, () => {
  test.each([
    ['its name, typed, is enough', true, 0],
    ['another answer is none', false, 7],
  ])('at a terminal it asks: %s', async (_, isRight, status) => {
    const disk = makeWholeDisk(2 * GiB, 512);
    execFileSync('mkfs.ext4', ['-q', '-F', '-L', 'photos', disk.device]);
    const before = headOf(disk.image);
    const command = `${process.execPath} ${join(process.cwd(), 'bin/edgefab.js')} partition ${disk.device}`;
    const child = spawn('script', ['-qec', command, '/dev/null'], {
      cwd: tempFolder(),
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    let said = '';
    child.stdout.on('data', (chunk: Buffer) => {
      said += chunk.toString();
      if (said.includes('to go on') && !child.stdin.writableEnded)
        child.stdin.end(`${isRight ? `${basename(disk.device)}:${disk.sizeBytes}` : 'yes'}\n`);
    });
    const [code] = (await once(child, 'exit')) as [number];
    expect(said).toContain('on it now: ext4 "photos"');
    expect(code).toBe(status);
    execFileSync('sync');
    expect(headOf(disk.image).equals(before)).toBe(!isRight);
    if (isRight)
      expect(execFileSync('sgdisk', ['-v', disk.device], { encoding: 'utf8' })).toContain(
        'No problems found',
      );
  });

  test('plans, prepares, tries an install again, restores', async () => {
    const disk = makeWholeDisk(130 * GiB, 512);
    const cwd = tempFolder();
    const run = (...args: readonly string[]) => runEdgefab(['partition', disk.device, ...args], { cwd });
    const target = ['--on-target', '--size', '1GiB', '--label', 'ef-command'];
    const confirm = ['--yes', '--confirm', `${basename(disk.device)}:${disk.sizeBytes}`];

    const dry = await run(...target, '--dry-run');
    expect([dry.status, dry.stderr]).toEqual([0, 'Nothing was written (--dry-run).\n']);
    expect(dry.stdout).toMatch(/^before +none\nafter +5 +ef-command +270530560 +272627711 +1\.0 GiB$/m);
    expect(readdirSync(cwd)).toEqual([]);

    expect((await run(...target)).status).toBe(7);
    const made = await run(...target, '--yes');
    expect([made.status, made.stdout]).toEqual([
      0,
      expect.stringMatching(/^partition 5, ef-command, 1\.0 GiB, GUID [-0-9A-F]{36}$/m),
    ]);
    const [backup = ''] = readdirSync(cwd);
    expect(backup).toMatch(/^edgefab-table-loop\d+-.*\.json$/);

    const small = await run('--on-target', '--size', '20GiB', '--dry-run');
    expect([small.status, small.stderr]).toEqual([
      4,
      expect.stringContaining('want at least 128849018880 (120 GiB)'),
    ]);

    execFileSync('sgdisk', ['-n', '4:0:0', '-c', '4:root', disk.device], { stdio: 'ignore' });
    const kept = await runEdgefabJson(
      ['partition', disk.device, '--retry-install', '--label', 'ef-command', ...confirm],
      { cwd },
    );
    expect([kept.status, kept.document]).toMatchObject([
      0,
      { kind: 'Partition', isChanged: true, kept: { number: 5, name: 'ef-command' } },
    ]);

    const restored = await run('--restore', backup, ...confirm);
    expect([restored.status, restored.stderr]).toEqual([0, '']);
    expect(execFileSync('wipefs', ['-n', disk.device], { encoding: 'utf8' })).toBe('');
    expect(
      (await runEdgefab(['partition', disk.device, '--size', `${200 * MiB}`, '--dry-run'], { cwd })).status,
    ).toBe(4);
  }, 60_000);
});
