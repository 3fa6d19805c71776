import { readdir, readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { BlockDevice } from './block-device.ts';
import type { DeviceNode, DeviceTree } from './device-tree.ts';
import { type MachineRoots, readAttribute } from './machine-roots.ts';

export type DeviceIdentity = Pick<
  BlockDevice,
  'byId' | 'byPath' | 'serial' | 'model' | 'transport' | 'twins' | 'kind'
>;

/** Names that only repeat a number nobody finds on a sticker come last. */
const DULL_NAME = /^(wwn-|nvme-eui|nvme-nvme|scsi-[0-9]|usb-0)/;
/** How far up a device's folder its USB device is at most: disk, target, host, interface, device. */
const MAX_STEPS_UP = 10;

/** Finds what a device calls itself, by udev and by sysfs, and the stable names that lead to it. */
export async function identify(
  node: DeviceNode,
  realPath: string,
  tree: DeviceTree,
  roots: MachineRoots,
): Promise<DeviceIdentity> {
  const self = await selfOf(node, roots);
  const twins: string[] = [];
  if (self.serial !== undefined && node.parent === undefined) {
    for (const other of tree.values()) {
      if (other.name === node.name || other.parent !== undefined || (await isStack(other, roots))) continue;
      if ((await selfOf(other, roots)).serial === self.serial) twins.push(other.name);
    }
  }
  return {
    ...self,
    twins,
    kind: await kindOf(node, roots),
    byId: await linksTo(join(roots.dev, 'disk/by-id'), realPath),
    byPath: await linksTo(join(roots.dev, 'disk/by-path'), realPath),
  };
}

/** Device-mapper and md pass on the serial of what they are made of. */
async function isStack(node: DeviceNode, { sys }: MachineRoots): Promise<boolean> {
  const entries = await readdir(join(sys, 'class/block', node.name)).catch((): string[] => []);
  return node.slaves.length > 0 || entries.includes('dm') || entries.includes('md');
}

async function kindOf(node: DeviceNode, roots: MachineRoots): Promise<BlockDevice['kind']> {
  const own = join(roots.sys, 'class/block', node.name);
  if (node.parent !== undefined || (await readAttribute(join(own, 'partition'))) !== undefined)
    return 'partition';
  if (/^loop\d/.test(node.name) || node.backingFile !== undefined) return 'loop';
  // Optical drives, floppies, memory, and the boot parts soldered beside an eMMC disk.
  if (/^(sr|fd|ram|zram|dm-|md)\d|^mmcblk\d+(boot|rpmb|gp)\d*/.test(node.name)) return 'other';
  return (await isStack(node, roots)) ? 'other' : 'disk';
}

async function selfOf(
  node: DeviceNode,
  { sys, run }: MachineRoots,
): Promise<Pick<DeviceIdentity, 'serial' | 'model' | 'transport'>> {
  // udev(7): one line `E:NAME=value` a property.
  const data = await readFile(join(run, 'udev/data', `b${node.numbers}`), 'utf8').catch(() => '');
  const told = new Map(
    [...data.matchAll(/^E:([A-Z0-9_]+)=(.*)$/gm)].map(([, key = '', value = '']): [string, string] => [
      key,
      value.trim(),
    ]),
  );
  const device = join(sys, 'class/block', node.parent ?? node.name, 'device');
  const usb = await usbDevice(device);
  const serial =
    told.get('ID_SERIAL_SHORT') ||
    (await readAttribute(join(device, 'serial'))) ||
    (await readAttribute(join(sys, 'class/block', node.name, 'serial'))) ||
    (usb === undefined ? undefined : await readAttribute(join(usb, 'serial')));
  const model = told.get('ID_MODEL') || (await readAttribute(join(device, 'model')));
  const transport = told.get('ID_BUS') || (usb === undefined ? busOf(node.name) : 'usb');
  return {
    ...(serial === undefined ? {} : { serial }),
    ...(model === undefined ? {} : { model }),
    ...(transport === undefined ? {} : { transport }),
  };
}

function busOf(name: string): string | undefined {
  if (name.startsWith('nvme')) return 'nvme';
  if (name.startsWith('mmcblk')) return 'mmc';
  return name.startsWith('vd') ? 'virtio' : undefined;
}

/** The folder of the USB device a disk hangs on; only that has a vendor's number. */
async function usbDevice(device: string): Promise<string | undefined> {
  let at = await realpath(device).catch(() => undefined);
  for (let step = 0; at !== undefined && step < MAX_STEPS_UP && at !== '/'; step += 1) {
    if ((await readAttribute(join(at, 'idVendor'))) !== undefined) return at;
    at = dirname(at);
  }
  return undefined;
}

async function linksTo(folder: string, realPath: string): Promise<string[]> {
  const found: string[] = [];
  for (const name of await readdir(folder).catch(() => [])) {
    const link = join(folder, name);
    if ((await realpath(link).catch(() => undefined)) === realPath) found.push(link);
  }
  const rank = (link: string): number => (DULL_NAME.test(link.slice(folder.length + 1)) ? 1 : 0);
  return found.sort((a, b) => rank(a) - rank(b) || (a < b ? -1 : 1));
}
