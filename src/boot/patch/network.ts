import type { Keyfile } from '../network/render-keyfiles.ts';
import { manifestChange } from './changes.ts';
import { machineConfigManifest } from './machine-config.ts';
import { unfitValue } from './machine-values.ts';
import type { Step } from './step.ts';

const FOLDER = '/etc/NetworkManager/system-connections';
const WHY = 'the installed node has the addresses of the live system, on the same cards';
const FILE_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,200}\.nmconnection$/;

/**
 * Plans the network of the installed node by a MachineConfig manifest with the keyfiles the live system has too. The
 * node's first boot would also find those that the install copies to /boot, but prefers these, which stay the
 * cluster's. Throws USAGE_INVALID on a name that is no plain one.
 */
export function networkStep(keyfiles: readonly Keyfile[]): Step {
  const name = 'network';
  if (keyfiles.length === 0)
    return { name, why: WHY, changes: [], skipped: 'no network was given: the node asks DHCP' };
  const files = keyfiles.map((keyfile) => {
    if (!FILE_NAME.test(keyfile.name)) throw unfitValue('keyfile', keyfile.name, 'NAME.nmconnection');
    // NetworkManager ignores a profile that others may read.
    return { path: `${FOLDER}/${keyfile.name}`, mode: 0o600, text: keyfile.text };
  });
  const manifest = machineConfigManifest({ name: '99-edgefab-network', files, units: [] });
  return {
    name,
    why: WHY,
    changes: [manifestChange(manifest)],
  };
}
