import { parse as parseYaml } from 'yaml';
import { fileText } from '../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { parseIgnitionText } from '../../src/boot/ignition/parse-ignition.ts';
import { patchIgnition } from '../../src/boot/patch/patch-ignition.ts';
import { bipIgnition } from './bip-ignition.ts';
import { fullPatch, LINES } from './full-patch.ts';

/** One phase of a machine: what its config puts there, by path and by unit. */
export interface Phase {
  /** The text of a file; throws where there is none. */
  text(path: string): string;
  has(path: string): boolean;
  mode(path: string): number | undefined;
  readonly paths: readonly string[];
  /** A unit of edgefab with all its drop-ins, or the drop-ins beside another one; empty where there is neither. */
  unit(name: string): string;
  readonly units: readonly string[];
}

/** A machine as a fully patched config makes it: the live system, and the node by its MachineConfigs. */
export interface PatchedMachine {
  readonly version: string;
  readonly location: 'usb' | 'installDisk';
  readonly ignition: Ignition;
  readonly live: Phase;
  readonly node: Phase;
  /** The other manifests of the config, parsed. */
  readonly manifests: readonly { readonly kind?: string; readonly spec?: unknown }[];
}

function phaseOf(configs: readonly Ignition[]): Phase {
  const files = configs.flatMap((config) => config.files.map((file) => ({ file, config })));
  const find = (path: string) => files.find(({ file }) => file.path === path);
  const units = configs.flatMap((config) => config.units);
  return {
    paths: files.map(({ file }) => file.path),
    has: (path) => find(path) !== undefined,
    mode: (path) => find(path)?.file.mode,
    text: (path) => {
      const found = find(path);
      const text = found === undefined ? undefined : fileText(found.config, path);
      if (text === undefined) throw new RangeError(`no file ${path} on the machine`);
      return text;
    },
    units: [...new Set(units.map(({ name }) => name))],
    unit: (name) =>
      units
        .filter((unit) => unit.name === name)
        .flatMap(({ contents, dropins }) => [
          contents ?? '',
          ...dropins.map((dropin) => dropin.contents ?? ''),
        ])
        .join('\n'),
  };
}

/** Patches a made-up config of each line, with every step on, for a cache on either disk. */
export async function patchedMachines(): Promise<PatchedMachine[]> {
  const machines: PatchedMachine[] = [];
  for (const { shape, version } of LINES) {
    for (const location of ['usb', 'installDisk'] as const) {
      const before = bipIgnition({ line: shape });
      const { ignition } = await patchIgnition(before, fullPatch(before, { version, location }));
      const texts = ignition.files.flatMap(({ path }) =>
        /^\/opt\/openshift\/(?:manifests|openshift)\//.test(path) ? [fileText(ignition, path) ?? ''] : [],
      );
      const manifests = texts.map((text) => parseYaml(text));
      const configs = manifests
        .filter((manifest) => manifest?.kind === 'MachineConfig')
        .map((manifest) => parseIgnitionText(JSON.stringify(manifest.spec.config), 'node.ign'));
      machines.push({
        version,
        location,
        ignition,
        live: phaseOf([ignition]),
        node: phaseOf(configs),
        manifests,
      });
    }
  }
  return machines;
}
