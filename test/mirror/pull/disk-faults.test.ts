import { execFileSync } from 'node:child_process';
import { rmSync, statfsSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { verifyCache } from '../../../src/mirror/store/verify-cache.ts';
import { REGISTRY_TOOLS } from '../../support/docker-registry.ts';
import { type PullWorld, pullThrough, startPullWorld } from '../../support/pull-world.ts';
import { canMount, mountSmallDisk } from '../../support/small-disk.ts';
import { haveTools } from '../../support/tools.ts';

const ready = canMount && haveTools(...REGISTRY_TOOLS);
const skipped = ready ? '' : ' (SKIPPED: needs root, loop devices, docker-registry)';
const KIB = 1024;

let world: PullWorld;

describe.skipIf(!ready)(`a pull onto a disk that fails in mid-run${skipped}`, () => {
  beforeAll(async () => {
    world = await startPullWorld();
  });
  afterAll(() => world.registry.close());

  test.each([0, 100, 700, 1500, 2900, 4000])(
    'a disk that is full after %i more KiB: what is there stays, the next run needs the rest',
    async (leftKib) => {
      const disk = mountSmallDisk(40 * KIB * KIB);
      const cache = join(disk, 'cache');
      const filler = join(disk, 'filler');
      let isFull = false;
      const full = await pullThrough(
        world,
        (path) => {
          if (isFull || !path.includes('/blobs/')) return undefined;
          isFull = true;
          const { bavail, bsize } = statfsSync(disk);
          try {
            writeFileSync(filler, Buffer.alloc(bavail * bsize - leftKib * KIB));
          } catch {
            // It was full a little sooner.
          }
          return undefined;
        },
        { cache },
      );
      expect(full.error).toMatchObject({ code: 'DISK_FULL', exitCode: 5 });
      rmSync(filler);
      const next = await pullThrough(world, () => undefined, { cache });
      expect(next.error).toBeUndefined();
      expect(await verifyCache(cache, { parallel: 2 })).toMatchObject({ faults: [], strays: [] });
      // What was written before the disk was full is not fetched again.
      if (leftKib >= 1500) expect(next.outcome?.result.heldBytes).toBeGreaterThan(300 * KIB);
    },
  );

  test('a disk that turns read-only: named, resumable, whole after it is mounted again', async () => {
    const disk = mountSmallDisk(40 * KIB * KIB);
    const cache = join(disk, 'cache');
    let isReadOnly = false;
    const failed = await pullThrough(
      world,
      (path) => {
        if (isReadOnly || !path.endsWith(world.largest)) return undefined;
        isReadOnly = true;
        // What ext4 does to itself after an error of its device.
        execFileSync('mount', ['-o', 'remount,abort', disk]);
        return undefined;
      },
      { cache },
    );
    expect(failed.error).toMatchObject({ code: 'DISK_FAILED', exitCode: 5 });
    execFileSync('umount', [disk]);
    const image = join(dirname(disk), 'disk.img');
    execFileSync('bash', ['-c', `e2fsck -fy ${image} >/dev/null 2>&1 || [ $? -le 2 ]`]);
    execFileSync('mount', ['-o', 'loop', image, disk]);
    const next = await pullThrough(world, () => undefined, { cache });
    expect(next.error).toBeUndefined();
    expect(await verifyCache(cache, { parallel: 2 })).toMatchObject({ faults: [], strays: [] });
  });
});
