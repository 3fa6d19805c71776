import { basename } from 'node:path';
import type { LabelLookup } from '../cache/labelled-devices.ts';
import type { BlockDevice } from '../device/block-device.ts';
import { loadDeviceTree } from '../device/device-tree.ts';
import type { MachineRoots } from '../device/machine-roots.ts';

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
