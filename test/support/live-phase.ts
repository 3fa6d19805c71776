import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { bootstrapImageNames } from '../../src/boot/ignition/image-names.ts';
import { clusterStandIns, LEFT_OUT } from './cluster-stand-ins.ts';
import { CALLS, type MachineFile } from './coreos-double.ts';
import { bootCoreos, type CoreosMachine, until } from './coreos-machine.ts';
import { liveContent } from './machine-content.ts';

/** Signs of a live system, and the deployment it was booted from. */
const LIVE_SIGNS: readonly MachineFile[] = [
  { path: '/run/ostree-live', mode: 0o644, bytes: '' },
  { path: '/ostree/deploy/rhcos/deploy/booted/etc/.double', mode: 0o644, bytes: '' },
];

/**
 * Boots the live system of a patched config: every file, unit and drop-in of it, under a real systemd. What needs a
 * cluster is left out; bootkube runs all its images and does no more.
 */
export async function bootLive(
  ignition: Ignition,
  partitions: readonly string[],
  extra: readonly MachineFile[] = [],
): Promise<CoreosMachine> {
  const content = liveContent(ignition);
  const names = bootstrapImageNames(ignition).map(({ name }) => name);
  return await bootCoreos(
    {
      files: [...content.files, ...LIVE_SIGNS, ...clusterStandIns(names), ...extra],
      enabled: content.enabled.filter((unit) => !LEFT_OUT.includes(unit)),
    },
    partitions,
  );
}

/** Waits for the end of the live phase: the disk is written and the restart is a minute away. */
export async function liveEnd(machine: CoreosMachine, seconds = 60): Promise<void> {
  if (await until(() => machine.text(CALLS).includes('shutdown -r'), seconds)) return;
  const log = machine.run('journalctl', '--no-pager', '--output=short-monotonic', '-n', '200').stdout;
  throw new Error(`the live phase did not end within ${seconds} s:\n${log}`);
}
