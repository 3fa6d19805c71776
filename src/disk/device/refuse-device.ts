import { EdgefabError } from '../../errors.ts';
import type { BlockDevice } from './block-device.ts';
import { describeDevice } from './describe-device.ts';
import { type DeviceWant, deviceDangers } from './device-dangers.ts';

/** Refuses devices that must not be touched, all of them and for every reason at once. Throws DEVICE_REFUSED. */
export function refuseDevices(
  targets: readonly { readonly device: BlockDevice; readonly want: DeviceWant }[],
): void {
  const refused = targets.flatMap(({ device, want }) => {
    const dangers = deviceDangers(device, want);
    return dangers.length === 0 ? [] : [{ device, want, dangers }];
  });
  const [first] = refused;
  if (first === undefined) return;
  const lines = refused.flatMap(({ device, dangers }) => [
    describeDevice(device),
    ...dangers.map(({ message }) => `  ${message}`),
  ]);
  const others = targets.length - refused.length;
  const rest = others === 0 ? '' : `\nnothing was written, to the other ${others} neither`;
  throw new EdgefabError(`refused ${first.want.purpose}: ${lines.join('\n')}${rest}`, {
    code: 'DEVICE_REFUSED',
    suggestions: [...new Set(refused.flatMap(({ dangers }) => dangers.map(({ suggestion }) => suggestion)))],
    place: { file: first.device.path },
    faults: refused.flatMap(({ device, dangers }) =>
      dangers.map(({ kind, message }) => ({
        place: { file: device.path, field: kind },
        message,
      })),
    ),
  });
}

/**
 * Refuses a device that must not be touched: in use, the system's, part of a pool, no whole disk, write-protected, too
 * small, or with content nobody said may go. Throws DEVICE_REFUSED with every reason and what to do.
 */
export function refuseDevice(device: BlockDevice, want: DeviceWant): void {
  refuseDevices([{ device, want }]);
}
