import { basename } from 'node:path';
import type { BlockDevice } from './block-device.ts';
import { loadDeviceTree } from './device-tree.ts';
import type { LabelLookup } from './labelled-devices.ts';
import type { MachineRoots } from './machine-roots.ts';

/** Finds partitions of other attached disks that have the label: a name by label then means either. */
export async function findTwins(
  device: BlockDevice,
  label: string,
  lookup: LabelLookup,
  roots: MachineRoots,
): Promise<string[]> {
  const tree = await loadDeviceTree(roots);
  return (await lookup(label)).filter((path) => {
    const name = basename(path);
    return name !== device.name && tree.get(name)?.parent !== device.name;
  });
}
