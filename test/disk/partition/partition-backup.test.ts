import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadTableBackup } from '../../../src/disk/partition/partition-backup.ts';
import { partitionDisk } from '../../../src/disk/partition/partition-disk.ts';
import { restoreTable } from '../../../src/disk/partition/partition-restore.ts';
import { realHost } from '../../../src/host/real-host.ts';
import {
  CACHE_DISK,
  canPartition,
  hashOf,
  MiB,
  partitionOptions,
  partitionSkip,
} from '../../support/partitioned-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { makeWholeDisk } from '../../support/whole-disk.ts';

describe.skipIf(!canPartition)(`a backup${partitionSkip}`, () => {
  test('of another disk, or none at all, is refused and nothing written', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    const other = makeWholeDisk(401 * MiB, 512);
    const given = partitionOptions(undefined);
    await partitionDisk(disk.device, CACHE_DISK, given, realHost);
    const before = await hashOf(other);
    await expect(
      restoreTable(other.device, given.backupFile, partitionOptions(other), realHost),
    ).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: expect.stringContaining(`its size in bytes was ${400 * MiB}, this one has ${401 * MiB}`),
    });
    const text = readFileSync(given.backupFile, 'utf8');
    const saved = JSON.parse(text) as { disk: object; regions: { offset: number; sizeBytes: number }[] };
    const [region, ...rest] = saved.regions;
    const broken: readonly (readonly [string, string])[] = [
      ['', 'TABLE_BACKUP_INVALID'],
      ['{}', 'TABLE_BACKUP_INVALID'],
      [text.slice(0, 300), 'TABLE_BACKUP_INVALID'],
      [text.replace(/"sha256": "\w{4}/, '"sha256": "0000'), 'TABLE_BACKUP_INVALID'],
      [
        JSON.stringify({ ...saved, regions: [{ ...region, offset: 2 ** 50 }, ...rest] }),
        'TABLE_BACKUP_INVALID',
      ],
      [JSON.stringify({ ...saved, regions: [{ ...region, sizeBytes: 1 }, ...rest] }), 'TABLE_BACKUP_INVALID'],
      [
        JSON.stringify({ ...saved, regions: [{ ...region, sizeBytes: 2 ** 40 }, ...rest] }),
        'TABLE_BACKUP_INVALID',
      ],
      [JSON.stringify({ ...saved, disk: { ...saved.disk, sectorBytes: 4096 } }), 'DEVICE_REFUSED'],
      [JSON.stringify({ ...saved, disk: { ...saved.disk, name: 'S1', nameIs: 'serial' } }), 'DEVICE_REFUSED'],
    ];
    const file = join(tempFolder(), 'broken.json');
    const whole = await hashOf(disk);
    for (const [content, code] of broken) {
      writeFileSync(file, content);
      await expect(restoreTable(disk.device, file, partitionOptions(disk), realHost)).rejects.toMatchObject({
        code,
      });
    }
    await expect(
      restoreTable(disk.device, '/nonexistent', partitionOptions(disk), realHost),
    ).rejects.toMatchObject({
      code: 'FILE_UNREADABLE',
    });
    expect(await hashOf(disk)).toBe(whole);
    expect(await hashOf(other)).toBe(before);
  });

  test('is never written over, and without it nothing is written to the disk', async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    const before = await hashOf(disk);
    const given = partitionOptions(undefined);
    writeFileSync(given.backupFile, 'mine');
    await expect(partitionDisk(disk.device, CACHE_DISK, given, realHost)).rejects.toMatchObject({
      code: 'TARGET_EXISTS',
    });
    expect(readFileSync(given.backupFile, 'utf8')).toBe('mine');
    expect(await hashOf(disk)).toBe(before);
    await partitionDisk(disk.device, CACHE_DISK, partitionOptions(undefined), realHost);
  });

  test('says which disk it is of', async () => {
    const disk = makeWholeDisk(400 * MiB, 4096);
    const given = partitionOptions(undefined);
    await partitionDisk(disk.device, CACHE_DISK, given, realHost);
    const backup = await loadTableBackup(given.backupFile);
    expect(backup.disk).toEqual({
      name: `${basename(disk.device)}:${400 * MiB}`,
      nameIs: 'kernel name and size',
      sizeBytes: 400 * MiB,
      sectorBytes: 4096,
    });
    expect(backup.regions.map(({ offset, bytes }) => [offset, bytes.length])).toEqual([
      [0, 6 * 4096],
      [400 * MiB - 5 * 4096, 5 * 4096],
    ]);
  });
});
