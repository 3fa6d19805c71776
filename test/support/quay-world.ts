import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { withFileText } from '../../src/boot/ignition/edit-ignition.ts';
import { fileText } from '../../src/boot/ignition/file-contents.ts';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { bootstrapImageNames } from '../../src/boot/ignition/image-names.ts';
import { parseIgnition, serializeIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { releaseImage } from '../../src/boot/ignition/release-image.ts';
import { HAS_COREOS_DOUBLE } from './coreos-machine.ts';
import { HAS_DISTRIBUTION_DOUBLE } from './distribution-image.ts';
import { type QuayRelease, startQuayRelease, TOOL_IMAGE } from './quay-release.ts';
import { runEdgefab } from './run-edgefab.ts';
import { canMount } from './small-disk.ts';
import { tempFolder } from './temp-folder.ts';
import { haveTools } from './tools.ts';
import { openXfsCache } from './xfs-cache.ts';

const TOOLS = [
  'podman',
  'skopeo',
  'runc',
  'curl',
  'jq',
  'sgdisk',
  'mkfs.xfs',
  'unshare',
  'nsenter',
  'setpriv',
];

/** Whether whole machines can be booted here; else why not, for a title. */
export const canBoot = canMount && HAS_COREOS_DOUBLE && HAS_DISTRIBUTION_DOUBLE && haveTools(...TOOLS);
export const whyNoBoot = canBoot
  ? ''
  : ` (SKIPPED: needs root, namespaces, systemd, docker-registry, ${TOOLS.join(', ')})`;

/** A made-up release under quay.io's names, the cache `edgefab precache` made of it, and a disk with that. */
export interface QuayWorld {
  readonly release: QuayRelease;
  readonly cache: string;
  readonly disk: string;
  close(): Promise<void>;
}

export async function openQuayWorld(version: string, names: readonly string[]): Promise<QuayWorld> {
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-quay-'));
  const at = (name: string): string => join(folder, name);
  mkdirSync(at('registry'));
  const release = await startQuayRelease(at('registry'), version, names);
  const cache = at('cache');
  writeFileSync(at('registries.conf'), release.registriesConf);
  writeFileSync(
    at('imageset.yaml'),
    `apiVersion: mirror.openshift.io/v2alpha1\nkind: ImageSetConfiguration\nmirror:\n  platform:\n    release: ${release.image}\n`,
  );
  const filled = await runEdgefab([
    'precache',
    at('imageset.yaml'),
    '--folder',
    cache,
    '--registries-conf',
    at('registries.conf'),
    '--registry-image',
    TOOL_IMAGE,
    '--quiet',
  ]);
  expect(filled).toMatchObject({ status: 0 });
  // From here on there is only what the cache holds.
  await release.close();
  const { device, close } = openXfsCache(cache);
  return {
    release,
    cache,
    disk: device,
    close: async () => {
      close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Names of all components that the bootstrap of these configs asks for, and the node after it. */
export function bootstrapNames(ignitions: readonly Ignition[]): string[] {
  const names = ignitions.flatMap((each) => bootstrapImageNames(each).map(({ name }) => name));
  return [...new Set([...names, 'machine-config-operator', 'pod', 'rhel-coreos'])].sort();
}

/** Gives a config another release image and install disk, wherever its scripts name those it has. */
export function movedTo(ignition: Ignition, image: string, disk: string): Ignition {
  const old = releaseImage(ignition);
  return ignition.files.reduce((now, { path }) => {
    const text = path.endsWith('.sh') ? (fileText(now, path) ?? '') : '';
    const moved = text.replaceAll(old, image).replaceAll(/\/dev\/sda$/gm, disk);
    return moved === text ? now : withFileText(now, path, moved);
  }, ignition);
}

/** Patches a config with the built program, as a user would. */
export async function patchConfig(
  world: QuayWorld,
  ignition: Ignition,
  options: readonly string[],
): Promise<Ignition> {
  const folder = tempFolder();
  const source = join(folder, 'source.ign');
  const output = join(folder, 'patched.ign');
  writeFileSync(source, serializeIgnition(ignition), { mode: 0o600 });
  const args = ['ignition', 'patch', source, '--hostname', 'bip', '--cache', world.cache, '-o', output];
  expect(await runEdgefab([...args, ...options])).toMatchObject({ status: 0 });
  return parseIgnition(readFileSync(output), 'patched.ign');
}
