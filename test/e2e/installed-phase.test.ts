import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bipIgnition } from '../support/bip-ignition.ts';
import { until } from '../support/coreos-machine.ts';
import { bootInstalled } from '../support/installed-phase.ts';
import {
  bootstrapNames,
  canBoot,
  openQuayWorld,
  patchConfig,
  type QuayWorld,
  whyNoBoot,
} from '../support/quay-world.ts';

describe.skipIf(!canBoot)(`the installed node of a patched config, under systemd${whyNoBoot}`, () => {
  let world: QuayWorld;
  beforeAll(async () => {
    world = await openQuayWorld('4.18.9', bootstrapNames([bipIgnition({ line: '4.18' })]));
  });
  afterAll(() => world.close());

  test('pulls operator and system from the disk, copies the cache, and goes on without the disk', async () => {
    const { components, image } = world.release;
    const reference = (name: string): string => components.get(name) ?? '';
    const source = bipIgnition({ line: '4.18', releaseImage: image });
    const ignition = await patchConfig(world, source, []);
    const machine = await bootInstalled(ignition, [`${world.disk} edgefab`], {
      operator: reference('machine-config-operator'),
      os: reference('rhel-coreos'),
    });
    await machine.reached('kubelet.service', 'active');
    for (const name of ['machine-config-operator', 'rhel-coreos'])
      expect(machine.run('podman', 'image', 'exists', reference(name))).toMatchObject({ status: 0 });
    expect(machine.journal('machine-config-daemon-firstboot.service')).toContain(
      'machine-config-operator ran',
    );

    const kept = await until(() => machine.text('/run/edgefab/keep-cache.status').startsWith('done'), 60);
    expect([kept, machine.journal('edgefab-keep-cache.service')]).toEqual([true, expect.anything()]);
    expect(machine.text('/run/edgefab/cache.source')).toBe('node /var/lib/edgefab/cache\n');
    await machine.reached('edgefab-registry-ready.service', 'active');
    expect(machine.run('wipefs', '--no-act', '--all', world.disk)).toMatchObject({ status: 0 });

    // The disk is unplugged, and the node's own store is lost: the registry has its image elsewhere.
    machine.write('/etc/double/partitions', '');
    machine.run('podman', 'rmi', '--all', '--force');
    for (const name of ['etcd', 'rhel-coreos'])
      expect(machine.run('podman', 'pull', '--quiet', reference(name))).toMatchObject({ status: 0 });
    for (const unit of ['edgefab-registry.service', 'edgefab-cache.service'])
      expect(machine.run('systemctl', 'restart', unit)).toMatchObject({ status: 0 });
    await machine.reached('edgefab-registry-ready.service', 'active');
    expect(machine.run('podman', 'pull', '--quiet', image)).toMatchObject({ status: 0 });
    expect(machine.run('systemctl', 'list-units', '--failed', '--plain', '--no-legend').stdout).toBe('');
    expect(machine.sentAway()).toBe(0);
  });

  test('without the disk the node starts all the same, and says what is missing', async () => {
    const source = bipIgnition({ line: '4.18', releaseImage: world.release.image });
    const ignition = await patchConfig(world, source, []);
    const machine = await bootInstalled(ignition, [], {
      operator: '127.0.0.1:1/none',
      os: '127.0.0.1:1/none',
    });
    await machine.reached('kubelet.service', 'active', 30);
    expect(machine.text('/run/edgefab/cache.status')).toMatch(
      /^stopped - no partition labelled edgefab holds/,
    );
    expect(machine.property('edgefab-registry.service', 'ActiveState')).not.toBe('active');
  });
});
