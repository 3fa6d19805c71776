import { withDropin, withFile, withUnit } from '../../../src/boot/ignition/edit-ignition.ts';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { bootstrapImageNames } from '../../../src/boot/ignition/image-names.ts';
import { clusterStandIns, LEFT_OUT } from '../../support/cluster-stand-ins.ts';
import type { MachineFile } from '../../support/coreos-double.ts';

const DROPIN = /^\/etc\/systemd\/system\/([^/]+)\.d\/([^/]+)$/;

/** Puts files of a machine double into a config; drop-ins go beside their units. */
export function withMachineFiles(ignition: Ignition, files: readonly MachineFile[]): Ignition {
  return files.reduce((now, { path, mode, bytes }) => {
    const text = String(bytes);
    const [, unit, name] = DROPIN.exec(path) ?? [];
    return unit === undefined || name === undefined
      ? withFile(now, { path, mode, text })
      : withDropin(now, unit, { name, contents: text });
  }, ignition);
}

function program(path: string, text: string): MachineFile {
  return { path, mode: 0o755, bytes: `#!/bin/bash\nset -euo pipefail\n${text}\n` };
}

/**
 * Adds a unit that looks at what the installer's units left behind. It is one of edgefab's by its name, so that a
 * rehearsal waits for it, and fails when it fails; what it prints is on the console.
 */
export function withWitness(ignition: Ignition, afterUnit: string, text: string): Ignition {
  const contents = `[Unit]
Description=Witness of the scene
After=${afterUnit}
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/usr/local/sbin/witness
StandardOutput=journal+console
StandardError=journal+console
TimeoutStartSec=15min
[Install]
WantedBy=multi-user.target
`;
  return withMachineFiles(withUnit(ignition, { name: 'edgefab-witness.service', enabled: true, contents }), [
    program('/usr/local/sbin/witness', text),
  ]);
}

/** The restart at the end of the live phase: a rehearsal has not looked at everything by then. */
const NO_RESTART = program('/usr/local/sbin/shutdown', 'echo "shutdown $*"');

/** Puts the stand-ins for a cluster's services into an installer's config; all else of it stays as it is. */
export function withClusterStandIns(ignition: Ignition): Ignition {
  const names = bootstrapImageNames(ignition).map(({ name }) => name);
  const without = LEFT_OUT.reduce((now, name) => {
    const unit = now.units.find((each) => each.name === name);
    return unit?.contents === undefined
      ? now
      : withUnit(now, { name, enabled: false, contents: unit.contents });
  }, ignition);
  return withMachineFiles(without, [...clusterStandIns(names), NO_RESTART]);
}
