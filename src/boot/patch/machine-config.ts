import { stringify } from 'yaml';
import { encodeTextDataUrl } from '../../formats/data-url.ts';
import type { NewDropin, NewFile, NewUnit } from '../ignition/edit-ignition.ts';

/** A drop-in beside a unit that another MachineConfig or the operating system brings. */
interface UnitDropin extends NewDropin {
  readonly unit: string;
}

/** What a MachineConfig puts on the installed node. */
export interface MachineConfigContent {
  readonly name: string;
  readonly files: readonly NewFile[];
  readonly units: readonly NewUnit[];
  /** Beside units that are not in `units`. */
  readonly dropins?: readonly UnitDropin[];
}

function renderUnits({ units, dropins = [] }: MachineConfigContent): object[] {
  const beside = [...new Set(dropins.map(({ unit }) => unit))];
  return [
    ...units.map(({ name, enabled, contents }) => ({ name, enabled, contents })),
    ...beside.map((unit) => ({
      name: unit,
      dropins: dropins
        .filter((dropin) => dropin.unit === unit)
        .map(({ name, contents }) => ({ name, contents })),
    })),
  ];
}

/**
 * Renders a MachineConfig for the master pool, which single-node clusters use. As a manifest under
 * /opt/openshift/openshift it is both in the node's first Ignition config and in the cluster, so the two
 * agree from the start. Spec 3.2.0 is read by every release from 4.12 on.
 */
function renderMachineConfig(content: MachineConfigContent): string {
  const { name, files } = content;
  const units = renderUnits(content);
  const config = {
    ignition: { version: '3.2.0' },
    ...(files.length === 0
      ? {}
      : {
          storage: {
            files: files.map((file) => ({
              path: file.path,
              mode: file.mode,
              overwrite: true,
              contents: { source: encodeTextDataUrl(file.text) },
            })),
          },
        }),
    ...(units.length === 0 ? {} : { systemd: { units } }),
  };
  return stringify(
    {
      apiVersion: 'machineconfiguration.openshift.io/v1',
      kind: 'MachineConfig',
      metadata: { name, labels: { 'machineconfiguration.openshift.io/role': 'master' } },
      spec: { config },
    },
    { lineWidth: 0 },
  );
}

/** The manifest file of a MachineConfig inside a bootstrap-in-place config: read there by bootkube. */
export function machineConfigManifest(content: MachineConfigContent): NewFile {
  return {
    path: `/opt/openshift/openshift/99_${content.name.replace(/^99-/, '')}.yaml`,
    mode: 0o644,
    text: renderMachineConfig(content),
  };
}
