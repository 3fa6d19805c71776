import { stringify } from 'yaml';
import { encodeTextDataUrl } from '../../formats/data-url.ts';
import type { NewFile, NewUnit } from '../ignition/edit-ignition.ts';

/** What a MachineConfig puts on the installed node. */
export interface MachineConfigContent {
  readonly name: string;
  readonly files: readonly NewFile[];
  readonly units: readonly NewUnit[];
  /** Drop-ins beside units of this or another MachineConfig, or of the system. */
  readonly dropins?: readonly UnitDropin[];
}

/** A drop-in by the unit it is for and its own name. */
interface UnitDropin {
  readonly unit: string;
  readonly name: string;
  readonly contents: string;
}

interface RenderedUnit {
  readonly name: string;
  readonly enabled?: boolean;
  readonly contents?: string;
  readonly dropins?: readonly { readonly name: string; readonly contents: string }[];
}

/** One entry a unit, as Ignition wants it, with its drop-ins. */
function renderUnits(units: readonly NewUnit[], dropins: readonly UnitDropin[]): RenderedUnit[] {
  const names = new Set([...units.map(({ name }) => name), ...dropins.map(({ unit }) => unit)]);
  return [...names].map((name) => {
    const unit = units.find((each) => each.name === name);
    const own = dropins.filter((each) => each.unit === name);
    return {
      name,
      ...(unit === undefined ? {} : { enabled: unit.enabled, contents: unit.contents }),
      ...(own.length === 0
        ? {}
        : { dropins: own.map(({ name: file, contents }) => ({ name: file, contents })) }),
    };
  });
}

/**
 * Renders a MachineConfig for the master pool, which single-node clusters use. As a manifest under
 * /opt/openshift/openshift it is both in the node's first Ignition config and in the cluster, so the two
 * agree from the start. Spec 3.2.0 is read by every release from 4.12 on.
 */
function renderMachineConfig({ name, files, units, dropins = [] }: MachineConfigContent): string {
  const rendered = renderUnits(units, dropins);
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
    ...(rendered.length === 0 ? {} : { systemd: { units: rendered } }),
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
