import { execFileSync } from 'node:child_process';
import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmdirSync,
  statSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bootstrapImageNames } from '../../src/boot/ignition/image-names.ts';
import { bipIgnition, type DemoLine } from '../support/bip-ignition.ts';
import type { CoreosMachine } from '../support/coreos-machine.ts';
import { bootLive, liveEnd } from '../support/live-phase.ts';
import { makeLoopDevice } from '../support/loop-disk.ts';
import {
  bootstrapNames,
  canBoot,
  openQuayWorld,
  patchConfig,
  type QuayWorld,
  whyNoBoot,
} from '../support/quay-world.ts';
import { openXfsCache } from '../support/xfs-cache.ts';

describe.skipIf(!canBoot)(`the live phase of a config patched for preload, under systemd${whyNoBoot}`, () => {
  let world: QuayWorld;
  beforeAll(async () => {
    world = await openQuayWorld('4.13.1', bootstrapNames([bipIgnition({ line: '4.13' })]));
  });
  afterAll(() => world.close());

  async function boot(line: DemoLine, disk: string): Promise<CoreosMachine> {
    const source = bipIgnition({ line, installDisk: makeLoopDevice([]), releaseImage: world.release.image });
    const ignition = await patchConfig(world, source, ['--cache-mode', 'preload']);
    const settings = 'EDGEFAB_RETRY_SECONDS=0\nEDGEFAB_ATTEMPTS=1\nEDGEFAB_WAIT_SECONDS=0\n';
    return await bootLive(
      ignition,
      [`${disk} edgefab`],
      [
        {
          path: '/etc/systemd/system/edgefab-preload.service.d/90-double.conf',
          mode: 0o644,
          bytes: `[Service]\nEnvironment=${settings.trim().split('\n').join(' ')}\n`,
        },
      ],
    );
  }

  test('every bootstrap image is in the store before it is asked for, and nobody is asked', async () => {
    const machine = await boot('4.13', world.disk);
    await liveEnd(machine);
    const lines = machine.text('/run/edgefab/preload.status').trim().split('\n');
    for (const reference of [world.release.image, world.release.childImage]) {
      expect(lines).toContain(`loaded ${reference} -`);
      expect(machine.run('podman', 'image', 'exists', reference)).toMatchObject({ status: 0 });
    }
    const live = machine.text('/etc/edgefab/images.list');
    for (const name of bootstrapImageNames(bipIgnition({ line: '4.13' })).map((each) => each.name)) {
      expect(live).toContain(`live ${world.release.components.get(name)} `);
      expect(lines).toContain(`loaded ${world.release.components.get(name)} -`);
    }
    expect(machine.property('edgefab-preload.service', 'ActiveState')).toBe('active');
    // The disk is let go of: the install may write to any disk.
    expect(machine.text('/proc/mounts')).not.toContain('/run/edgefab/cache');
  });

  test('a damaged blob makes it fail, by the name of its image', async () => {
    const disk = openXfsCache(world.cache);
    try {
      const [, hex = ''] = world.release.components.get('etcd')?.split('@sha256:') ?? [];
      damageLayer(disk.device, hex);
      const machine = await boot('4.13', disk.device);
      await machine.reached('edgefab-preload.service', 'failed');
      const lines = machine.text('/run/edgefab/preload.status').trim().split('\n');
      const failed = lines.filter((line) => line.startsWith('failed '));
      expect(failed).toHaveLength(1);
      expect(failed[0]).toMatch(new RegExp(`^failed ${world.release.components.get('etcd')} .{10,}`));
      expect(machine.property('edgefab-preload.service', 'ExecMainStatus')).toBe('1');
      expect(machine.journal('edgefab-preload.service')).toContain(
        `NOT LOADED: ${world.release.components.get('etcd')}`,
      );
    } finally {
      disk.close();
    }
  });

  /** Turns one bit of the layer that only this image has. */
  function damageLayer(device: string, manifest: string): void {
    const mountPoint = mkdtempSync(join(tmpdir(), 'edgefab-mnt-'));
    execFileSync('mount', [device, mountPoint]);
    try {
      const view = join(mountPoint, 'views/dir/quay.io/openshift-release-dev');
      const [name = ''] = readdirSync(view).filter((each) => each.endsWith(manifest));
      // Its own layer is by far smaller than the one it shares.
      const [smallest = ''] = readdirSync(join(view, name))
        .filter((each) => /^[0-9a-f]{64}$/.test(each))
        .toSorted((a, b) => statSync(join(view, name, a)).size - statSync(join(view, name, b)).size);
      const file = openSync(join(view, name, smallest), 'r+');
      const byte = Buffer.alloc(1);
      const at = statSync(join(view, name, smallest)).size >> 1;
      readSync(file, byte, 0, 1, at);
      writeSync(file, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, at);
      closeSync(file);
    } finally {
      execFileSync('umount', [mountPoint]);
      rmdirSync(mountPoint);
    }
  }
});
