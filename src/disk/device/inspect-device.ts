import { constants } from 'node:fs';
import { open, realpath, stat } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { BlockDevice, DeviceContent, DeviceUse } from './block-device.ts';
import { readContent } from './device-content.ts';
import { identify } from './device-identity.ts';
import { loadDeviceTree, nodeOf } from './device-tree.ts';
import { findUses, loadMounts } from './device-uses.ts';
import { MACHINE_ROOTS, type MachineRoots, readAttribute } from './machine-roots.ts';
import { deviceNumbers } from './mounts.ts';
import { memberUses } from './pool-members.ts';

/** What sysfs counts sizes in, whatever the device's own sectors are. */
const SYSFS_SECTOR_BYTES = 512;

/**
 * Looks at a block device without changing a byte of it: what it calls itself, how large it is, what uses it, what is on
 * it. Partitions are read from the device itself. Throws DEVICE_UNKNOWN where there is nothing, DEVICE_REFUSED for what
 * is no block device, or one the kernel shows no size of; TOOL_MISSING.
 */
export async function inspectDevice(
  path: string,
  host: Pick<Host, 'run'>,
  options: { readonly roots?: Partial<MachineRoots> } = {},
): Promise<BlockDevice> {
  const roots = { ...MACHINE_ROOTS, ...options.roots };
  const { realPath, numbers } = await findBlockDevice(path);
  const tree = await loadDeviceTree(roots);
  const node = nodeOf(tree, numbers);
  if (node === undefined) {
    throw new EdgefabError(
      `${path} is block device ${numbers}, and ${join(roots.sys, 'class/block')} does not have it`,
      {
        code: 'DEVICE_REFUSED',
        suggestions: ['Run edgefab on the machine itself, not in a container that does not see its /sys'],
      },
    );
  }
  const own = join(roots.sys, 'class/block', node.name);
  const number = async (name: string, otherwise: number): Promise<number> => {
    const value = Number((await readAttribute(join(own, name))) ?? otherwise);
    return Number.isSafeInteger(value) ? value : otherwise;
  };
  // A partition has no queue of its own.
  const queue = node.parent === undefined ? 'queue' : `../${node.parent}/queue`;
  const sizeBytes = (await number('size', 0)) * SYSFS_SECTOR_BYTES;
  if (sizeBytes <= 0) {
    throw new EdgefabError(`${path} (${node.name}) has no size: there is no medium in it`, {
      code: 'DEVICE_REFUSED',
      suggestions: ['Plug the stick or the card in; lsblk shows the sizes of all devices'],
    });
  }
  const content = await readContent(realPath, sizeBytes, host);
  const found = await findUses(node.name, tree, await loadMounts(roots), roots);
  const uses = found.length > 0 ? found : await busyUse(realPath, node.name);
  const logicalSectorBytes = await number(`${queue}/logical_block_size`, SYSFS_SECTOR_BYTES);
  return {
    path,
    realPath,
    name: node.name,
    numbers,
    ...(await identify(node, realPath, tree, roots)),
    removable: (await number('removable', 0)) === 1,
    sizeBytes,
    logicalSectorBytes,
    physicalSectorBytes: await number(`${queue}/physical_block_size`, logicalSectorBytes),
    readOnly: (await number('ro', 0)) === 1,
    ...(node.backingFile === undefined ? {} : { backingFile: node.backingFile }),
    uses: [...uses, ...membersOf(content, node.name)],
    content,
  };
}

async function findBlockDevice(path: string): Promise<{ realPath: string; numbers: string }> {
  let realPath: string;
  try {
    realPath = await realpath(path);
  } catch (cause) {
    const why = hasCode(cause, 'ENOENT') ? '' : `: ${cause instanceof Error ? cause.message : String(cause)}`;
    throw new EdgefabError(`there is no device ${path}${why}`, {
      code: 'DEVICE_UNKNOWN',
      suggestions: ['Plug it in, then ls -l /dev/disk/by-id shows its name'],
      cause,
    });
  }
  const found = await stat(realPath, { bigint: true });
  if (found.isBlockDevice()) return { realPath, numbers: deviceNumbers(found.rdev) };
  const what = found.isFile()
    ? 'a regular file'
    : found.isDirectory()
      ? 'a folder'
      : found.isCharacterDevice()
        ? 'a character device'
        : 'something else';
  const via = realPath === path ? '' : `, by a link to ${realPath}`;
  throw new EdgefabError(`${path} is ${what}${via}: want a block device, a whole disk`, {
    code: 'DEVICE_REFUSED',
    suggestions: [
      found.isFile() && realPath.startsWith('/dev/')
        ? `Somebody copied to ${basename(realPath)} while no such disk was plugged in: remove that file`
        : 'Name the disk as ls -l /dev/disk/by-id shows it',
    ],
  });
}

/** An exclusive open of a block device fails while anybody holds it, in whatever container (open(2), O_EXCL). */
async function busyUse(realPath: string, device: string): Promise<DeviceUse[]> {
  try {
    await (await open(realPath, constants.O_RDONLY | constants.O_EXCL)).close();
    return [];
  } catch (error) {
    // Who may not open it at all learns that from its content.
    return hasCode(error, 'EBUSY') ? [{ kind: 'busy', device }] : [];
  }
}

function membersOf(content: DeviceContent, name: string): DeviceUse[] {
  return content.kind === 'signatures' ? memberUses(content.signatures, name) : [];
}
