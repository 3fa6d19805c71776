import { parse } from 'yaml';
import { fileBytes, fileText } from '../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { decodeDataUrl } from '../../src/formats/data-url.ts';
import type { MachineFile } from './coreos-double.ts';
import type { MachineContent } from './coreos-machine.ts';

const UNITS = '/etc/systemd/system';

interface AnyUnit {
  readonly name: string;
  readonly enabled?: boolean;
  readonly contents?: string;
  readonly dropins?: readonly { readonly name: string; readonly contents?: string }[];
}

function unitFiles(units: readonly AnyUnit[]): MachineFile[] {
  return units.flatMap(({ name, contents = '', dropins = [] }) => [
    ...(contents === '' ? [] : [{ path: `${UNITS}/${name}`, mode: 0o644, bytes: contents }]),
    ...dropins.map((dropin) => ({
      path: `${UNITS}/${name}.d/${dropin.name}`,
      mode: 0o644,
      bytes: dropin.contents ?? '',
    })),
  ]);
}

function enabledOf(units: readonly AnyUnit[]): string[] {
  // Without contents it is a unit of the system, which the double may not have.
  return units
    .filter(({ enabled, contents = '' }) => enabled === true && contents !== '')
    .map(({ name }) => name);
}

/** What Ignition makes of a config in the live system: every file with its mode, units, drop-ins. */
export function liveContent(ignition: Ignition): MachineContent {
  const files = ignition.files.map((file) => {
    const bytes = fileBytes(ignition, file);
    if (bytes === undefined) throw new RangeError(`${file.path} comes from elsewhere`);
    return { path: file.path, mode: file.mode ?? 0o644, bytes };
  });
  return { files: [...files, ...unitFiles(ignition.units)], enabled: enabledOf(ignition.units) };
}

interface MachineConfig {
  readonly spec: {
    readonly config: {
      readonly storage?: {
        readonly files?: readonly { path: string; mode?: number; contents: { source: string } }[];
      };
      readonly systemd?: { readonly units?: readonly AnyUnit[] };
    };
  };
}

/** What the installed node gets from edgefab's MachineConfig manifests in a config. */
export function installedContent(ignition: Ignition): MachineContent {
  const configs = ignition.files
    .filter(({ path }) => path.startsWith('/opt/openshift/openshift/99_edgefab-'))
    .map(({ path }) => parse(fileText(ignition, path) ?? '') as MachineConfig & { kind?: string })
    .filter(({ kind }) => kind === 'MachineConfig')
    .map(({ spec }) => spec.config);
  const units = configs.flatMap(({ systemd }) => systemd?.units ?? []);
  const files = configs.flatMap(({ storage }) =>
    (storage?.files ?? []).map(({ path, mode = 0o644, contents }) => ({
      path,
      mode,
      bytes: decodeDataUrl(contents.source).bytes,
    })),
  );
  return { files: [...files, ...unitFiles(units)], enabled: enabledOf(units) };
}
