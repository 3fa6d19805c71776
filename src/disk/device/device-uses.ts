import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { DeviceUse } from './block-device.ts';
import { type DeviceTree, devicesBelow, fileNode, mountedNode, nodeAt } from './device-tree.ts';
import { type MachineRoots, readAttribute } from './machine-roots.ts';
import { type MountEntry, parseMountEntries, unescapeOctal } from './mounts.ts';

/** Where the running system itself is mounted, or the medium a live one was started from. */
const SYSTEM_FOLDERS: ReadonlySet<string> = new Set([
  ...['/', '/boot', '/boot/efi', '/efi', '/usr', '/var', '/etc', '/home', '/opt', '/srv', '/root', '/nix'],
  ...['/sysroot', '/run/initramfs/live', '/run/media/iso', '/run/live/medium', '/cdrom'],
]);

/** Loads what is mounted here and, where that may be read, in the system this process is a container of. */
export async function loadMounts({ proc }: Pick<MachineRoots, 'proc'>): Promise<MountEntry[]> {
  const texts = await Promise.all(
    ['self', '1'].map((process) => readFile(join(proc, process, 'mountinfo'), 'utf8').catch(() => '')),
  );
  return texts.flatMap(parseMountEntries);
}

/** Finds everything the machine does with a device, with a partition of it, or with what is built on it. */
export async function findUses(
  name: string,
  tree: DeviceTree,
  mounts: readonly MountEntry[],
  roots: MachineRoots,
): Promise<DeviceUse[]> {
  const own = new Set([
    name,
    ...[...tree.values()].filter((node) => node.parent === name).map((n) => n.name),
  ]);
  const uses: DeviceUse[] = [];
  /** The part of ours that a device stands on. */
  const partBelow = async (user: string | undefined): Promise<string | undefined> => {
    if (user === undefined) return undefined;
    return [...(await devicesBelow(tree, user, mounts))].find((below) => own.has(below));
  };
  for (const mount of mounts) {
    const device = await partBelow((await mountedNode(tree, mount))?.name);
    if (device === undefined) continue;
    const kind = SYSTEM_FOLDERS.has(mount.folder) ? 'system' : 'mounted';
    uses.push({ kind, device, folder: mount.folder });
  }
  for (const path of await swapPaths(roots)) {
    const node = (await nodeAt(tree, path)) ?? (await fileNode(tree, path, mounts));
    const device = await partBelow(node?.name);
    if (device !== undefined) uses.push({ kind: 'swap', device });
  }
  for (const part of own) {
    for (const holder of tree.get(part)?.holders ?? [])
      uses.push({ kind: 'held', device: part, by: await holderName(holder, roots) });
  }
  for (const node of tree.values()) {
    if (node.backingFile === undefined || own.has(node.name)) continue;
    const below = (await nodeAt(tree, node.backingFile))?.name;
    if (below !== undefined && own.has(below)) uses.push({ kind: 'loop', device: below, by: node.name });
    else if (node.backingFile === tree.get(name)?.backingFile)
      uses.push({ kind: 'loop', device: name, by: node.name });
  }
  uses.push(...(await btrfsUses(own, roots)));
  return [...new Map(uses.map((use) => [JSON.stringify(use), use])).values()];
}

/** The name of a device-mapper device tells more than `dm-0`. */
async function holderName(holder: string, { sys }: MachineRoots): Promise<string> {
  const name = await readAttribute(join(sys, 'class/block', holder, 'dm/name'));
  return name === undefined ? holder : `${holder} (${name})`;
}

/** Every device of a mounted btrfs, of which mountinfo names one. */
async function btrfsUses(own: ReadonlySet<string>, { sys }: MachineRoots): Promise<DeviceUse[]> {
  const folder = join(sys, 'fs/btrfs');
  const uses: DeviceUse[] = [];
  for (const uuid of await readdir(folder).catch(() => [])) {
    for (const device of await readdir(join(folder, uuid, 'devices')).catch(() => []))
      if (own.has(device)) uses.push({ kind: 'held', device, by: `btrfs ${uuid}` });
  }
  return uses;
}

/** Reads /proc/swaps: a head line, then the path first. */
async function swapPaths({ proc }: MachineRoots): Promise<string[]> {
  const text = await readFile(join(proc, 'swaps'), 'utf8').catch(() => '');
  return text
    .split('\n')
    .slice(1)
    .flatMap((line) => (line === '' ? [] : [unescapeOctal(line.split(/\s/)[0] ?? '')]));
}
