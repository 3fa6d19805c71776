import { execFileSync, spawnSync } from 'node:child_process';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const canRun = haveTools('sgdisk');
const why = canRun ? '' : ' (SKIPPED: needs sgdisk)';
const STAND_IN = fileURLToPath(new URL('root/usr/bin/coreos-installer', import.meta.url));
const GIB = 1024 ** 3;
const IMAGE_PARTITIONS = ['BIOS-BOOT', 'EFI-SYSTEM', 'boot', 'root'];

function disk(...table: readonly string[]): string {
  const path = join(tempFolder(), 'disk.img');
  writeFileSync(path, '');
  truncateSync(path, 40 * GIB);
  if (table.length > 0) execFileSync('sgdisk', [...table, path], { stdio: 'ignore' });
  return path;
}

function sgdisk(path: string, what: string): string {
  return execFileSync('sgdisk', [what, path], { encoding: 'utf8' });
}

function names(path: string): string[] {
  const lines = sgdisk(path, '--print').split('\n');
  return lines.filter((line) => /^ +\d/.test(line)).map((line) => line.trim().split(/\s+/).at(-1) ?? '');
}

/** Runs the part that works on the table, as the whole would. */
function partition(...args: readonly string[]): { readonly status: number | null; readonly said: string } {
  // A file has no devices that udev would make.
  const parts =
    'udevadm() { :; }; source "$stand_in"; take_options "$@"; look_at_table; clear_table; make_partitions';
  const { status, stdout, stderr } = spawnSync('bash', ['-c', parts, 'bash', ...args], {
    encoding: 'utf8',
    env: { ...process.env, stand_in: STAND_IN },
  });
  return { status, said: `${stdout}${stderr}` };
}

describe.skipIf(!canRun)(`the lab's coreos-installer and the table of a disk${why}`, () => {
  test('a blank disk gets the partitions of the image', () => {
    const path = disk();
    expect(partition('-n', '-i', 'master.ign', path)).toMatchObject({ status: 0 });
    expect(names(path)).toEqual(IMAGE_PARTITIONS);
  });

  test('partitions to be kept are the same afterwards, the others are gone', () => {
    const path = disk(
      '--new=1:2048:+1G',
      '--new=7:0:+1G',
      '--new=5:62914560:0',
      '--change-name=5:edgefab-node',
    );
    const before = sgdisk(path, '--info=5');
    expect(partition('--save-partlabel', 'other,edgefab-*', '-i', 'master.ign', path)).toMatchObject({
      status: 0,
    });
    expect(names(path)).toEqual([...IMAGE_PARTITIONS, 'edgefab-node']);
    expect(sgdisk(path, '--info=5')).toBe(before);
    expect(sgdisk(path, '--info=4')).toContain('Last sector: 62914559 ');
  });

  test.each([
    ['in the way of the image', ['--new=5:2048:+1G', '--change-name=5:kept'], /begins at sector 2048/],
    ['with a number of the image', ['--new=2:62914560:0', '--change-name=2:kept'], /has the number/],
  ])('a partition to be kept %s is refused, and stays', (_name, table, said) => {
    const path = disk(...table);
    const before = sgdisk(path, '--print');
    const result = partition('--save-partlabel', 'kept', path);
    expect(result.status).toBe(1);
    expect(result.said).toMatch(said);
    expect(sgdisk(path, '--print')).toBe(before);
  });

  test.each([
    ['an option that is not known', ['--offline', '/dev/sda'], /--offline is not known/],
    ['two disks', ['/dev/sda', '/dev/sdb'], /two disks/],
    ['no disk', ['-n'], /no disk is named/],
  ])('%s is refused', (_name, args, said) => {
    expect(partition(...args)).toMatchObject({ status: 1, said: expect.stringMatching(said) });
  });
});
