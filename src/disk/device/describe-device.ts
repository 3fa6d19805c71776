import { showText } from '../../formats/shown-text.ts';
import type { BlockDevice, DeviceContent } from './block-device.ts';

/** How a device is called back by the person who confirms, and what that name is. */
export interface DeviceConfirmation {
  readonly text: string;
  readonly what: 'serial' | 'by-id name' | 'by-path name' | 'kernel name and size';
}

/**
 * Chooses what confirms a device: its serial; without one, or where another disk says the same, the best of its other
 * names: by-id, by-path (which tells twins apart), at last `NAME:SIZE`.
 */
export function confirmationOf(
  device: Pick<BlockDevice, 'serial' | 'twins' | 'byId' | 'byPath' | 'name' | 'sizeBytes'>,
): DeviceConfirmation {
  const { serial, twins, byId, byPath, name, sizeBytes } = device;
  const isOnly = twins.length === 0;
  if (isOnly && serial !== undefined) return { text: serial, what: 'serial' };
  if (isOnly && byId[0] !== undefined) return { text: byId[0], what: 'by-id name' };
  if (byPath[0] !== undefined) return { text: byPath[0], what: 'by-path name' };
  return { text: `${name}:${sizeBytes}`, what: 'kernel name and size' };
}

/** Names a device for people: as they named it, its stable name, model, serial and size. */
export function describeDevice(device: BlockDevice): string {
  const { path, realPath, byId, model, serial, sizeBytes } = device;
  const stable = byId[0] ?? realPath;
  return [
    path === stable ? path : `${path} (${stable})`,
    ...(model === undefined ? [] : [`model ${showText(model)}`]),
    serial === undefined ? 'without a serial' : `serial ${showText(serial)}`,
    `${sizeBytes} bytes`,
  ].join(', ');
}

/** Says in a few words what is on a device. */
export function describeContent(content: DeviceContent): string {
  switch (content.kind) {
    case 'blank':
      return 'blank';
    case 'unfinished':
      return 'a boot stick edgefab did not finish';
    case 'data':
      return `no signature, but bytes that are not zero at offset ${content.offset}`;
    case 'unreadable':
      return `cannot be read: ${showText(content.reason, 200)}`;
    case 'signatures': {
      const found = content.signatures.map(({ type, label, partition }) =>
        [
          type,
          ...(label === undefined ? [] : [`"${showText(label)}"`]),
          ...(partition === undefined ? [] : [`in partition ${partition}`]),
        ].join(' '),
      );
      const partitions = content.partitions.length;
      return [
        ...(content.cache === undefined ? [] : [`an edgefab cache on ${content.cache}`]),
        ...new Set(found),
        ...(partitions === 0 ? [] : [`${partitions} partition${partitions === 1 ? '' : 's'}`]),
      ].join(', ');
    }
    default:
      return content satisfies never;
  }
}
