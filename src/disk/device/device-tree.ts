import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type MachineRoots, readAttribute } from './machine-roots.ts';
import { deviceNumbers, type MountEntry } from './mounts.ts';

/** A block device as sysfs shows it (Documentation/ABI/stable/sysfs-block). */
export interface DeviceNode {
  readonly name: string;
  /** MAJOR:MINOR. */
  readonly numbers: string;
  /** The disk a partition is on. */
  readonly parent?: string;
  /** What a device of device-mapper or md is made of, and what is made of this one. */
  readonly slaves: readonly string[];
  readonly holders: readonly string[];
  /** The file or device a loop device is made of. */
  readonly backingFile?: string;
}

export type DeviceTree = ReadonlyMap<string, DeviceNode>;

/** Loads every block device the kernel knows, by name. */
export async function loadDeviceTree({ sys }: Pick<MachineRoots, 'sys'>): Promise<DeviceTree> {
  const folder = join(sys, 'class/block');
  const names = (await readdir(folder).catch(() => [])).sort();
  const parents = new Map<string, string>();
  const nodes = await Promise.all(
    names.map(async (name): Promise<DeviceNode | undefined> => {
      const own = join(folder, name);
      const numbers = await readAttribute(join(own, 'dev'));
      if (numbers === undefined) return undefined;
      // A partition is a folder of that name inside its disk's.
      for (const entry of await readdir(own).catch(() => [])) {
        if (names.includes(entry) && (await readAttribute(join(own, entry, 'partition'))) !== undefined)
          parents.set(entry, name);
      }
      const backingFile = await readAttribute(join(own, 'loop/backing_file'));
      return {
        name,
        numbers,
        slaves: (await readdir(join(own, 'slaves')).catch(() => [])).sort(),
        holders: (await readdir(join(own, 'holders')).catch(() => [])).sort(),
        ...(backingFile === undefined ? {} : { backingFile }),
      };
    }),
  );
  return new Map(
    nodes.flatMap((node): [string, DeviceNode][] => {
      if (node === undefined) return [];
      const parent = parents.get(node.name);
      return [[node.name, parent === undefined ? node : { ...node, parent }]];
    }),
  );
}

/** Finds a device by its numbers. */
export function nodeOf(tree: DeviceTree, numbers: string): DeviceNode | undefined {
  return [...tree.values()].find((node) => node.numbers === numbers);
}

/** Finds the device a path such as `/dev/sdb1` leads to. Undefined when it is none. */
export async function nodeAt(tree: DeviceTree, path: string): Promise<DeviceNode | undefined> {
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found?.isBlockDevice() === true ? nodeOf(tree, deviceNumbers(found.rdev)) : undefined;
}

/**
 * Finds the device a mount comes from. File systems with devices of their own (btrfs) have made-up numbers: there what
 * was mounted tells.
 */
export async function mountedNode(tree: DeviceTree, mount: MountEntry): Promise<DeviceNode | undefined> {
  return (
    nodeOf(tree, mount.device) ??
    (mount.source.startsWith('/') ? await nodeAt(tree, mount.source) : undefined)
  );
}

/** Finds the device that holds a file, by the mount it is under. */
export async function fileNode(
  tree: DeviceTree,
  path: string,
  mounts: readonly MountEntry[],
): Promise<DeviceNode | undefined> {
  const real = await realpath(path).catch(() => path);
  const isUnder = (folder: string): boolean =>
    real === folder || real.startsWith(folder === '/' ? '/' : `${folder}/`);
  const under = mounts.filter(({ folder }) => isUnder(folder));
  // The longest folder, and of two mounts over each other the later one.
  const nearest = under.reduce<MountEntry | undefined>(
    (best, mount) => (best === undefined || mount.folder.length >= best.folder.length ? mount : best),
    undefined,
  );
  return nearest === undefined ? undefined : await mountedNode(tree, nearest);
}

/** Names everything a device stands on, itself first: its disk, what a stack is made of, what holds a loop device's file. */
export async function devicesBelow(
  tree: DeviceTree,
  name: string,
  mounts: readonly MountEntry[],
): Promise<ReadonlySet<string>> {
  const seen = new Set<string>();
  const visit = async (at: string | undefined): Promise<void> => {
    const node = at === undefined ? undefined : tree.get(at);
    if (node === undefined || seen.has(node.name)) return;
    seen.add(node.name);
    await visit(node.parent);
    for (const slave of node.slaves) await visit(slave);
    if (node.backingFile === undefined) return;
    const { backingFile } = node;
    await visit(((await nodeAt(tree, backingFile)) ?? (await fileNode(tree, backingFile, mounts)))?.name);
    // Two loop devices of one file are two ways to the same bytes.
    for (const other of tree.values()) if (other.backingFile === backingFile) await visit(other.name);
  };
  await visit(name);
  return seen;
}
