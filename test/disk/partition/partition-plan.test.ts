import { describe, expect, test } from 'vitest';
import { type PartitionWish, planPartition, ROOT_BYTES } from '../../../src/disk/partition/partition-plan.ts';
import { CACHE_DISK, GiB, MiB } from '../../support/partitioned-disk.ts';

describe('where the partition goes', () => {
  test.each<[string, number, number, Partial<PartitionWish>, number, number]>([
    ['a whole disk', 512, GiB, {}, MiB, 1022 * MiB],
    ['a whole disk of 4096-byte sectors', 4096, GiB, {}, MiB, 1022 * MiB],
    ['a disk of an odd size', 512, GiB + 12345 * 512, {}, MiB, 1029 * MiB],
    ['a part', 512, GiB, { size: { percent: 50 } }, MiB, 511 * MiB],
    ['a size, in whole MiB', 512, GiB, { size: { bytes: 400 * MiB + 1 } }, MiB, 400 * MiB],
    [
      'the end of a target',
      512,
      1000 * GiB,
      { place: 'target', size: { bytes: 250 * GiB } },
      750 * GiB - MiB,
      250 * GiB,
    ],
    [
      'the end of a target of 4096-byte sectors',
      4096,
      1000 * GiB,
      { place: 'target', size: { bytes: 250 * GiB } },
      750 * GiB - MiB,
      250 * GiB,
    ],
    [
      'a target with just enough',
      512,
      ROOT_BYTES + GiB + 2 * MiB,
      { place: 'target', size: { bytes: GiB } },
      ROOT_BYTES + MiB,
      GiB,
    ],
    [
      'an image that ends where it begins',
      512,
      200 * GiB,
      { place: 'target', size: { bytes: GiB }, imageBytes: 199 * GiB - MiB },
      199 * GiB - MiB,
      GiB,
    ],
  ])('%s', (_, sectorBytes, sizeBytes, change, offset, length) => {
    const planned = planPartition({ sectorBytes, sizeBytes }, { ...CACHE_DISK, ...change });
    expect([planned.firstLba * sectorBytes, (planned.lastLba - planned.firstLba + 1) * sectorBytes]).toEqual([
      offset,
      length,
    ]);
  });

  test.each<[string, number, Partial<PartitionWish>, RegExp, RegExp]>([
    [
      'larger than the disk',
      GiB,
      { size: { bytes: 2 * GiB } },
      /is to have 2147483648 bytes, the disk has room for 1071644672/,
      /smaller --size/,
    ],
    [
      'smaller than an XFS',
      GiB,
      { size: { bytes: 100 * MiB } },
      /would have 104857600 bytes/,
      /larger --size/,
    ],
    ['a disk smaller than an XFS', 64 * MiB, {}, /would have \d+ bytes/, /larger disk/],
    ['no disk at all', 0, {}, /would have 0 bytes/, /larger disk/],
    [
      'too little left for the node',
      300 * GiB,
      { place: 'target', size: { bytes: 250 * GiB } },
      /5368\d+ bytes would be left for the node, want at least 128849018880/,
      /at most 179GiB/,
    ],
    [
      'a target without room for both',
      100 * GiB,
      { place: 'target', size: { bytes: 50 * GiB } },
      /would be left/,
      /cache\.location: usb/,
    ],
    [
      'the image would not fit',
      400 * GiB,
      { place: 'target', size: { bytes: 250 * GiB }, imageBytes: 151 * GiB },
      /image takes 162135015424 bytes, the partition would begin at/,
      /smaller/,
    ],
  ])('%s: refused with the numbers', (_, sizeBytes, change, message, suggestion) => {
    expect(() => planPartition({ sectorBytes: 512, sizeBytes }, { ...CACHE_DISK, ...change })).toThrow(
      expect.objectContaining({
        code: 'SPACE_SHORT',
        message: expect.stringMatching(message),
        suggestions: expect.arrayContaining([expect.stringMatching(suggestion)]),
      }),
    );
  });
});
