import {
  type NewDropin,
  type NewFile,
  type NewUnit,
  withDropin,
  withFile,
  withUnit,
} from '../ignition/edit-ignition.ts';
import type { Change } from './step.ts';

/** Describes putting a file into the live system; one that bootkube copies is called a manifest. */
export function fileChange(file: NewFile): Change {
  const what = /^\/opt\/openshift\/(?:manifests|openshift)\//.test(file.path) ? 'manifest' : 'file';
  return { describe: `${what} ${file.path}`, apply: (ignition) => withFile(ignition, file) };
}

/** Describes putting a unit into the live system. */
export function unitChange(unit: NewUnit): Change {
  return { describe: `unit ${unit.name}`, apply: (ignition) => withUnit(ignition, unit) };
}

/** Describes putting a drop-in beside a unit of the live system. */
export function dropinChange(unit: string, dropin: NewDropin): Change {
  return {
    describe: `drop-in ${unit}.d/${dropin.name}`,
    apply: (ignition) => withDropin(ignition, unit, dropin),
  };
}

/** Describes putting a manifest where the bootstrap finds it, for the installed node and the cluster. */
export function manifestChange(manifest: NewFile): Change {
  return {
    describe: `MachineConfig manifest ${manifest.path}`,
    apply: (ignition) => withFile(ignition, manifest),
  };
}
