import { expect } from 'vitest';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { bootstrapImageNames } from '../../src/boot/ignition/image-names.ts';
import { REGISTRY_PORT } from '../../src/boot/patch/registry-settings.ts';
import { CALLS } from './coreos-double.ts';
import type { CoreosMachine } from './coreos-machine.ts';
import { bootLive, liveEnd } from './live-phase.ts';
import { patchConfig, type QuayWorld } from './quay-world.ts';

function digestIn(reference: string): string {
  return reference.slice(reference.indexOf('@') + 1);
}

/** What podman, skopeo and curl find once the machine is up: everything by its own name, from loopback. */
function expectServed({ release }: QuayWorld, machine: CoreosMachine): void {
  const references = [release.image, release.childImage, ...release.components.values()];
  for (const reference of references) {
    const inspected = machine.run('skopeo', 'inspect', '--raw', `docker://${reference}`);
    expect(inspected).toMatchObject({ status: 0 });
  }
  expect(machine.run('podman', 'pull', '--quiet', ...references)).toMatchObject({ status: 0 });
  for (const reference of references)
    expect(machine.run('podman', 'image', 'exists', reference)).toMatchObject({ status: 0 });
  for (const address of ['127.0.0.1', '[::1]'])
    expect(machine.run('curl', '-sS', '--fail', `https://${address}:${REGISTRY_PORT}/v2/`)).toMatchObject({
      status: 0,
      stdout: '{}',
    });
}

/** Everything the bootstrap asked for came from the registry, nothing failed, and nobody else was asked. */
function expectBootstrapped({ release }: QuayWorld, machine: CoreosMachine, ignition: Ignition): void {
  const ran = machine.journal('bootkube.service');
  const served = machine.journal('edgefab-registry.service');
  for (const { name } of bootstrapImageNames(ignition)) {
    const reference = release.components.get(name) ?? '';
    expect(ran).toContain(`bootkube has ${name} ${reference}\n`);
    expect(served).toMatch(new RegExp(`"GET /v2/\\S+/manifests/${digestIn(reference)} HTTP\\S+ 200 `));
  }
  expect(served).not.toMatch(/ HTTP\/\S+" (?:404|5\d\d) /);
  const failed = machine.run('systemctl', 'list-units', '--failed', '--plain', '--no-legend').stdout;
  // It changes the target and is not part of the new one: whether it ends before it is ended is a race of its own.
  expect(failed.replace(/^node-image-finish\.service .*\n/m, '')).toBe('');
  expect(machine.run('journalctl', '--quiet', '--no-pager').stdout).not.toMatch(/ordering cycle/i);
  expect(machine.sentAway()).toBe(0);
}

/** Patches a config for a cache on a USB disk, boots it, and follows it to the end of the live phase and of the cache. */
export async function proveUsb(world: QuayWorld, source: Ignition, release: string): Promise<CoreosMachine> {
  const ignition = await patchConfig(world, source, ['--release', release]);
  const machine = await bootLive(ignition, [`${world.disk} edgefab`]);
  await liveEnd(machine);
  expectBootstrapped(world, machine, ignition);
  expectServed(world, machine);
  expect(machine.text('/proc/mounts')).toMatch(/ \/run\/edgefab\/cache xfs ro,nosuid,nodev,noexec/);
  expect(machine.text(CALLS)).toContain('coreos-installer install ');
  expect(machine.sentAway()).toBe(0);

  // Whoever stops the cache has ended both servers before, and nothing holds the disk.
  expect(machine.run('systemctl', 'stop', 'edgefab-cache.service')).toMatchObject({ status: 0 });
  for (const unit of ['edgefab-registry.service', 'edgefab-registry-v6.service'])
    expect(machine.property(unit, 'ActiveState')).toBe('inactive');
  expect(machine.run('wipefs', '--no-act', '--all', world.disk)).toMatchObject({ status: 0 });
  return machine;
}

/** The same for a cache on the install disk: it serves until the disk is written to, and is free then. */
export async function proveInstallDisk(world: QuayWorld, source: Ignition, release: string): Promise<void> {
  const label = ['--cache-location', 'installDisk', '--cache-label', 'edgefab-node'];
  const ignition = await patchConfig(world, source, ['--release', release, ...label]);
  const machine = await bootLive(ignition, [`${world.disk} edgefab-node`]);
  if (machine.property('node-image-pull.service', 'LoadState') === 'loaded')
    expect(machine.run('systemctl', 'start', 'node-image-pull.service')).toMatchObject({ status: 0 });
  await machine.reached('edgefab-registry-ready.service', 'active');
  await liveEnd(machine);
  expectBootstrapped(world, machine, ignition);
  // The stand-in for coreos-installer opens the disk exclusively, as the real one does.
  expect(machine.text(CALLS)).toMatch(
    new RegExp(`coreos-installer install .* ${world.disk}\n.*shutdown`, 's'),
  );
  expect(machine.text('/run/edgefab/release-cache.status')).toMatch(/^released - /);
  expect(machine.text('/proc/mounts')).not.toContain('/run/edgefab/cache');
  if (machine.property('node-image-pull.service', 'LoadState') === 'loaded') {
    const node = world.release.components.get('rhel-coreos');
    expect(machine.text(CALLS)).toContain(`ostree-unverified-image:docker://${node}\n`);
  }
}
