import { afterAll, beforeAll, describe, test } from 'vitest';
import { bipIgnition } from '../support/bip-ignition.ts';
import { proveInstallDisk, proveUsb } from '../support/live-proof.ts';
import { makeLoopDevice } from '../support/loop-disk.ts';
import { bootstrapNames, canBoot, openQuayWorld, type QuayWorld, whyNoBoot } from '../support/quay-world.ts';

// Line 4.13 and the real configs: test/long/live-lines.test.ts.
describe.skipIf(!canBoot)(`the live phase of a patched config, under systemd${whyNoBoot}`, () => {
  let world: QuayWorld;
  beforeAll(async () => {
    world = await openQuayWorld('4.21.1', bootstrapNames([bipIgnition({ line: '4.21' })]));
  });
  afterAll(() => world.close());

  test('4.18: from a USB disk, and nobody else is asked', async () => {
    const installDisk = makeLoopDevice([]);
    const source = bipIgnition({ line: '4.18', installDisk, releaseImage: world.release.image });
    await proveUsb(world, source, '4.18.9');
  });

  test('4.21: from the install disk, which is free when it is written to', async () => {
    const source = bipIgnition({
      line: '4.21',
      installDisk: world.disk,
      releaseImage: world.release.image,
    });
    await proveInstallDisk(world, source, '4.21.1');
  });
});
