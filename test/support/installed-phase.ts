import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { type NodePulls, operatorUnits } from '../lab/stand-ins.ts';
import { bootCoreos, type CoreosMachine } from './coreos-machine.ts';
import { installedContent } from './machine-content.ts';
import { mcoRegistriesConf } from './mco-registries-conf.ts';

const DOUBLE = '/etc/systemd/system';

/** Boots the installed node of a patched config: all that edgefab's MachineConfigs put there, and the operator's part. */
export async function bootInstalled(
  ignition: Ignition,
  partitions: readonly string[],
  pulls: NodePulls,
): Promise<CoreosMachine> {
  const content = installedContent(ignition);
  const units = operatorUnits(pulls);
  return await bootCoreos(
    {
      files: [
        ...content.files,
        ...units.map(({ name, contents }) => ({ path: `${DOUBLE}/${name}`, mode: 0o644, bytes: contents })),
        { path: '/etc/containers/registries.conf', mode: 0o644, bytes: mcoRegistriesConf(ignition) },
        {
          path: `${DOUBLE}/edgefab-cache.service.d/90-double.conf`,
          mode: 0o644,
          bytes: '[Service]\nEnvironment=EDGEFAB_WAIT_SECONDS=1\n',
        },
        {
          path: `${DOUBLE}/edgefab-keep-cache.service.d/90-double.conf`,
          mode: 0o644,
          bytes: '[Service]\nEnvironment=EDGEFAB_KEEP_FREE_BYTES=0\n',
        },
      ],
      enabled: [...content.enabled, ...units.map(({ name }) => name)],
    },
    partitions,
  );
}
