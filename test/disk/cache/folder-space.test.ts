import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { assertHoldsCache } from '../../../src/disk/cache/assert-holds-cache.ts';
import { assertSpace, folderSpace } from '../../../src/disk/cache/folder-space.ts';
import { sectorBytes } from '../../../src/disk/cache/sector-size.ts';
import { canMount, mountSmallDisk } from '../../support/small-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';

test('a folder that is not there yet is measured where it will be made', async () => {
  const folder = tempFolder();
  const space = await folderSpace(join(folder, 'not', 'yet'));
  expect(space.existing).toBe(folder);
  expect(space.freeBytes).toBeGreaterThan(0);
});

test('too little space is refused with the numbers', async () => {
  await expect(assertSpace(tempFolder(), 2 ** 62)).rejects.toMatchObject({
    code: 'SPACE_SHORT',
    exitCode: 4,
    message: expect.stringMatching(/4611686018427388000 bytes are needed, \d+ are free/),
  });
});

test('a usual file system holds a cache, and nothing is left of the probe', async () => {
  const folder = tempFolder();
  await assertHoldsCache(folder);
  expect(readdirSync(folder)).toEqual([]);
});

test('the sector size of the disk under a folder is read, or the usual one taken', async () => {
  expect([512, 4096]).toContain(await sectorBytes(tempFolder()));
});

test('a file system that ends files below 4 GiB is refused, as FAT is', () => {
  // A limit on the size of files stands in for one: what the kernel answers is the same (EFBIG).
  const module = resolve('src/disk/cache/assert-holds-cache.ts');
  const script = `await (await import(${JSON.stringify(module)})).assertHoldsCache(process.argv[1]).catch((error) => console.log(error.message))`;
  const said = execFileSync(
    'bash',
    [
      '-c',
      'trap "" XFSZ; ulimit -f 4194300; exec "$0" --no-warnings --input-type=module -e "$1" "$2"',
      process.execPath,
      script,
      tempFolder(),
    ],
    { encoding: 'utf8' },
  );
  expect(said).toMatch(/cannot hold a cache: it has no files of 4 GiB and more\n$/);
});

describe.skipIf(!canMount)(
  `real file systems${canMount ? '' : ' (SKIPPED: needs root and a loop device)'}`,
  () => {
    test('a small disk says how much it holds', async () => {
      const disk = mountSmallDisk(8 * 1024 * 1024);
      const { freeBytes, existing } = await folderSpace(disk);
      expect(existing).toBe(disk);
      expect(freeBytes).toBeLessThan(8 * 1024 * 1024);
      expect(freeBytes).toBeGreaterThan(4 * 1024 * 1024);
    });

    test('a file system without symbolic links is refused, as FAT and exFAT are', async () => {
      const folder = tempFolder();
      // The kernel's message queues are files that have none.
      execFileSync('mount', ['-t', 'mqueue', 'none', folder]);
      try {
        await expect(assertHoldsCache(folder)).rejects.toMatchObject({
          code: 'FILESYSTEM_UNFIT',
          exitCode: 4,
          message: expect.stringContaining('it has no symbolic links'),
        });
        expect(readdirSync(folder)).toEqual([]);
      } finally {
        execFileSync('umount', [folder]);
      }
    });

    test('a read-only disk is refused', async () => {
      const disk = mountSmallDisk(8 * 1024 * 1024);
      mkdirSync(join(disk, 'cache'));
      execFileSync('mount', ['-o', 'remount,ro', disk]);
      await expect(assertHoldsCache(join(disk, 'cache'))).rejects.toMatchObject({
        code: 'FILESYSTEM_UNFIT',
        exitCode: 4,
      });
    });
  },
);
