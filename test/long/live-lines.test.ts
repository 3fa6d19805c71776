import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { parseIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { bipIgnition, FIXTURES } from '../support/bip-ignition.ts';
import { proveInstallDisk, proveUsb } from '../support/live-proof.ts';
import { makeLoopDevice } from '../support/loop-disk.ts';
import {
  bootstrapNames,
  canBoot,
  movedTo,
  openQuayWorld,
  type QuayWorld,
  whyNoBoot,
} from '../support/quay-world.ts';

const LINES = ['4.13', '4.18', '4.21'] as const;
const why = whyNoBoot || (FIXTURES === undefined ? ' (SKIPPED: EDGEFAB_FIXTURES is not set)' : '');

function real(line: string): Ignition {
  const name = `bip-${line}.ign`;
  return parseIgnition(readFileSync(join(FIXTURES ?? '', 'ignition', name)), name);
}

describe.skipIf(!canBoot)(`made-up configs, under systemd${whyNoBoot}`, () => {
  test.each(LINES)('%s: both locations', async (line) => {
    const world = await openQuayWorld(`${line}.1`, bootstrapNames([bipIgnition({ line })]));
    try {
      const source = (installDisk: string): Ignition =>
        bipIgnition({ line, installDisk, releaseImage: world.release.image });
      await proveUsb(world, source(makeLoopDevice([])), `${line}.1`);
      await proveInstallDisk(world, source(world.disk), `${line}.1`);
    } finally {
      await world.close();
    }
  });
});

describe.skipIf(!canBoot || FIXTURES === undefined)(
  `the installer's own scripts, under systemd${why}`,
  () => {
    let world: QuayWorld;
    beforeAll(async () => {
      world = await openQuayWorld('4.21.1', bootstrapNames(LINES.map(real)));
    });
    afterAll(() => world.close());

    test.each(LINES)('%s from a USB disk', async (line) => {
      const source = movedTo(real(line), world.release.image, makeLoopDevice([]));
      const machine = await proveUsb(world, source, `${line}.1`);
      if (line !== '4.21') return;
      // The node image came first, and the registry outlived the change of targets after it.
      expect(machine.journal('node-image-finish.service')).toContain('switching back to multi-user.target');
      await machine.reached('multi-user.target', 'active');
      expect(machine.journal('node-image-pull.service')).toContain('Target node image is');
      expect(machine.journal('edgefab-registry.service').match(/^Started edgefab-registry/gm)).toHaveLength(
        1,
      );
    });

    test.each(LINES)('%s from the install disk', async (line) => {
      await proveInstallDisk(world, movedTo(real(line), world.release.image, world.disk), `${line}.1`);
    });
  },
);
