import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { BlockDevice } from './block-device.ts';
import { identify } from './device-identity.ts';
import { loadDeviceTree, nodeOf } from './device-tree.ts';
import { MACHINE_ROOTS, type MachineRoots, readAttribute } from './machine-roots.ts';
import { deviceNumbers } from './mounts.ts';

/** A device nobody else can mount, hold or open alone until it is closed. */
export interface OpenDevice {
  readonly file: FileHandle;
  /** Whether the page cache is passed by (open(2), O_DIRECT): buffers, offsets and lengths then are of whole sectors. */
  readonly isDirect: boolean;
}

export interface OpenDeviceOptions {
  /** Asks for O_DIRECT, where the device can. */
  readonly direct?: boolean;
  readonly roots?: Partial<MachineRoots>;
}

/**
 * Opens a device for writing, alone: while it is open nobody can mount it or a partition of it (open(2), O_EXCL without
 * O_CREAT). Then looks whether it is still the device that was inspected: sticks are pulled and their names given to
 * others. The caller closes it. Throws DEVICE_REFUSED, DEVICE_UNKNOWN.
 */
export async function openDevice(device: BlockDevice, options: OpenDeviceOptions = {}): Promise<OpenDevice> {
  const opened = await openAlone(device, options.direct ?? false);
  try {
    await assertSame(device, opened.file, { ...MACHINE_ROOTS, ...options.roots });
    return opened;
  } catch (error) {
    await opened.file.close();
    throw error;
  }
}

async function openAlone(device: BlockDevice, direct: boolean): Promise<OpenDevice> {
  const { realPath } = device;
  const flags = constants.O_RDWR | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    if (direct && constants.O_DIRECT !== undefined) {
      try {
        return { file: await open(realPath, flags | constants.O_DIRECT), isDirect: true };
      } catch (error) {
        if (!hasCode(error, 'EINVAL')) throw error;
      }
    }
    return { file: await open(realPath, flags), isDirect: false };
  } catch (cause) {
    if (hasCode(cause, 'ENOENT') || hasCode(cause, 'ENXIO')) {
      throw new EdgefabError(`${device.path} is gone: it was ${realPath} a moment ago`, {
        code: 'DEVICE_UNKNOWN',
        suggestions: ['Plug it in again and run the same command'],
        cause,
      });
    }
    const isBusy = hasCode(cause, 'EBUSY');
    throw new EdgefabError(
      isBusy
        ? `${device.path} (${device.name}) is in use: somebody mounted or opened it since it was looked at`
        : `cannot open ${device.path} (${device.name}) for writing: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        code: 'DEVICE_REFUSED',
        suggestions: [
          isBusy
            ? 'Desktops mount sticks by themselves: unmount it, and run the same command again'
            : 'Run the same command with sudo; a write-protected stick has a lock switch',
        ],
        cause,
      },
    );
  }
}

async function assertSame(device: BlockDevice, file: FileHandle, roots: MachineRoots): Promise<void> {
  const { rdev } = await file.stat({ bigint: true });
  const tree = await loadDeviceTree(roots);
  const node = nodeOf(tree, deviceNumbers(rdev));
  const sectors = await readAttribute(`${roots.sys}/class/block/${node?.name ?? ''}/size`);
  const serial = node === undefined ? undefined : (await identify(node, device.realPath, tree, roots)).serial;
  const rows = [
    { what: 'device number', was: device.numbers, is: deviceNumbers(rdev) },
    { what: 'serial', was: device.serial ?? 'none', is: serial ?? 'none' },
    { what: 'bytes', was: String(device.sizeBytes), is: String(Number(sectors ?? 0) * 512) },
    { what: 'file', was: device.backingFile ?? 'none', is: node?.backingFile ?? 'none' },
  ];
  const changed = rows.find(({ was, is }) => was !== is);
  if (changed === undefined) return;
  throw new EdgefabError(
    `${device.path} is another device than a moment ago: its ${changed.what} was ${changed.was}, and is ${changed.is}`,
    {
      code: 'DEVICE_REFUSED',
      suggestions: ['Leave all sticks plugged in, and run the same command again'],
    },
  );
}
