import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { bootCoreos, type CoreosMachine } from './coreos-machine.ts';
import { installedContent } from './machine-content.ts';
import { mcoRegistriesConf } from './mco-registries-conf.ts';

const DOUBLE = '/etc/systemd/system';

/** What the machine-config-operator puts on a node to pull, and when: its units around edgefab's, made up. */
function operatorUnits(operator: string, os: string) {
  const unit = (name: string, head: string, service: string, wanted: string) => ({
    path: `${DOUBLE}/${name}`,
    mode: 0o644,
    bytes: `[Unit]\nDescription=${name} (double)\n${head}\n[Service]\nType=oneshot\nRemainAfterExit=yes\n${service}\n[Install]\n${wanted}\n`,
  });
  return [
    unit(
      'machine-config-daemon-pull.service',
      'Wants=crio-wipe.service network-online.target\nAfter=crio-wipe.service network-online.target\nBefore=machine-config-daemon-firstboot.service',
      `ExecStart=/usr/bin/podman pull --quiet ${operator}`,
      'RequiredBy=machine-config-daemon-firstboot.service',
    ),
    unit(
      'machine-config-daemon-firstboot.service',
      'After=machine-config-daemon-pull.service\nBefore=crio.service kubelet.service',
      `ExecStart=/usr/bin/podman run --rm --net=none ${operator}\nExecStart=/usr/bin/podman pull --quiet ${os}`,
      'WantedBy=multi-user.target',
    ),
    unit(
      'kubelet.service',
      'Requires=crio.service\nAfter=crio.service network-online.target',
      'ExecStart=/bin/true',
      'WantedBy=multi-user.target',
    ),
  ];
}

/** Boots the installed node of a patched config: all that edgefab's MachineConfigs put there, and the operator's part. */
export async function bootInstalled(
  ignition: Ignition,
  partitions: readonly string[],
  pulls: { readonly operator: string; readonly os: string },
): Promise<CoreosMachine> {
  const content = installedContent(ignition);
  const units = operatorUnits(pulls.operator, pulls.os);
  return await bootCoreos(
    {
      files: [
        ...content.files,
        ...units,
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
      enabled: [...content.enabled, ...units.map(({ path }) => path.slice(DOUBLE.length + 1))],
    },
    partitions,
  );
}
