import { expect } from 'vitest';
import type { LabMachine, LabRun } from '../../lab/lab-machine.ts';
import type { LabSite } from '../../lab/lab-site.ts';

/** From power to root's shell, without KVM, beside other work. */
export const START_S = 400;
/** From there to the restart. */
export const LIVE_PHASE_S = 1500;
/** A unit of the node, a pull, a copy of the cache. */
export const WORK_S = 1200;
/** A whole install and what comes after. */
export const INSTALL_MS = 3_600_000;

/** What the made-up bootstrap runs, where less will do. */
export const FEW_IMAGES = ['machine-config-operator'];

/** What the node needs before kubelet, and what edgefab has there beside it. */
const NODE_UNITS = [
  'edgefab-cache.service',
  'edgefab-registry.service',
  'edgefab-registry-ready.service',
  'edgefab-status.service',
  'machine-config-daemon-pull.service',
  'machine-config-daemon-firstboot.service',
  'kubelet.service',
];

const MARKED = '/run/edgefab/after-install.status';
const RELEASED = '/run/edgefab/release-cache.status';

/** The node, started from its own disk. */
export const FROM_DISK = { stick: undefined, startsFrom: 'target' } as const;

/** Waits until the disk is written and marked, and gives what edgefab said of it; the restart is a minute away. */
export async function installed(live: LabRun): Promise<string> {
  const failed = '[ "$(systemctl show --value --property=NRestarts install-to-disk.service)" != 0 ]';
  const said = `if [ -e ${RELEASED} ]; then cat ${RELEASED}; fi; cat ${MARKED}`;
  // The second costs the machine a third of a second, when it is emulated.
  const wait = `n=0; until [ -e ${MARKED} ]; do sleep 1; n=$((n + 1)); if [ $((n % 15)) = 0 ] && ${failed}; then break; fi; done`;
  // In one go: a slow machine is gone before it is asked twice.
  return await live.run(
    `${wait}; if [ -e ${MARKED} ]; then ${said}; else journalctl --lines=60; fi`,
    LIVE_PHASE_S,
  );
}

/** Restarts at once: the minute the installer leaves is nothing but a minute. */
export async function restarted(run: LabRun): Promise<void> {
  await run.run('systemctl --no-block reboot');
  await run.ended(START_S);
}

/** From the stick to the restart. Gives what edgefab said of the disk. */
export async function installOn(machine: LabMachine): Promise<string> {
  await using live = machine.switchOn();
  await live.up(START_S);
  const said = await installed(live);
  await live.ended(START_S);
  return said;
}

/** All that runs before kubelet ended well, and nothing failed. */
export async function expectAtRest(node: LabRun): Promise<void> {
  const units = await node.atRest(NODE_UNITS, WORK_S);
  expect(units.filter(({ state }) => state !== 'good')).toEqual([]);
  expect(await node.run('systemctl list-units --failed --plain --no-legend')).toBe('');
}

/** The content of the node that edgefab's MachineConfigs make. */
export async function expectConfigured(node: LabRun): Promise<void> {
  const keyfiles = '/etc/NetworkManager/system-connections/*.nmconnection';
  const found = await node.run(
    `uname -n; grep '^server' /etc/chrony.conf; grep '^address1=' ${keyfiles}; ip -oneline address`,
  );
  expect(found).toMatch(
    /^bip\nserver 192\.168\.86\.1\b[\s\S]*^address1=192\.168\.86\.45\/24\b[\s\S]*\sinet 192\.168\.86\.45\/24\s/m,
  );
}

/** Every byte of these images comes from the registry, by their own names. */
export async function expectPulls(
  node: LabRun,
  { components }: LabSite,
  names: readonly string[],
): Promise<void> {
  for (const name of names) {
    const reference = components.get(name) ?? '';
    await node.run(`podman rmi --force ${reference}; podman pull --quiet ${reference}`, WORK_S);
  }
}

/** The stick was left in and came first: the live system says what it found, and installs nothing. */
export async function expectGuarded(again: LabRun): Promise<void> {
  await again.shows(/edgefab: STOPPED: \/dev\/sda holds the install of this very build/, LIVE_PHASE_S);
  await again.up(START_S);
  const guard = await again.atRest(['edgefab-reinstall-guard.service'], WORK_S);
  expect(guard).toMatchObject([{ state: 'failed' }]);
  expect(
    await again.run('systemctl show --value --property=ActiveState install-to-disk.service'),
  ).not.toMatch(/^act/);
}
