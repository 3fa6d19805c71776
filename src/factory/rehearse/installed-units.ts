import { parse } from 'yaml';
import { z } from 'zod/v4';
import { fileText } from '../../boot/ignition/file-contents.ts';
import type { Ignition } from '../../boot/ignition/ignition.ts';

/** Of a MachineConfig, what tells which units it enables (OpenShift, machineconfiguration.openshift.io/v1). */
const machineConfig = z.looseObject({
  kind: z.literal('MachineConfig'),
  spec: z.looseObject({
    config: z.looseObject({
      systemd: z
        .looseObject({
          units: z.array(z.looseObject({ name: z.string(), enabled: z.boolean().optional() })).optional(),
        })
        .optional(),
    }),
  }),
});

/** What bootkube gives the cluster, and the node's first config, lies here. */
const MANIFESTS = '/opt/openshift/openshift/';
const OWN_UNIT = /^edgefab-[\w-]+\.(?:service|path)$/;

interface AnyUnit {
  readonly name: string;
  readonly enabled?: boolean | undefined;
}

function enabledOf(units: readonly AnyUnit[]): string[] {
  return units.filter(({ name, enabled }) => enabled === true && OWN_UNIT.test(name)).map(({ name }) => name);
}

/** Names the units of edgefab that a config enables in the live system. */
export function liveUnits(ignition: Ignition): string[] {
  return enabledOf(ignition.units);
}

/** Names the units of edgefab that the MachineConfigs in a config enable on the installed node, in their order. */
export function installedUnits(ignition: Ignition): string[] {
  return ignition.files
    .filter(({ path }) => path.startsWith(MANIFESTS) && path.endsWith('.yaml'))
    .flatMap(({ path }) => {
      const found = machineConfig.safeParse(parse(fileText(ignition, path) ?? ''));
      return found.success ? enabledOf(found.data.spec.config.systemd?.units ?? []) : [];
    });
}
