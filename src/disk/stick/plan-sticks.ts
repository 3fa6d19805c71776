import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { BlockDevice } from '../device/block-device.ts';
import type { DeviceWant } from '../device/device-dangers.ts';
import { inspectDevice } from '../device/inspect-device.ts';
import { type BootImage, HEAD_BYTES } from './boot-image.ts';

/** A stick and what is to be written on it. */
export interface PlannedStick {
  readonly device: BlockDevice;
  readonly image: BootImage;
  readonly want: DeviceWant;
}

/** What was said on the command line of all devices together. */
export type StickConsent = Pick<DeviceWant, 'yes' | 'wipe' | 'confirmed'>;

/**
 * Looks at every device that is to become a stick, and says what is wanted of it; writes nothing and refuses nothing but
 * one device named twice. Throws USAGE_INVALID, and what `inspectDevice` throws.
 */
export async function planSticks(
  pairs: readonly { readonly path: string; readonly image: BootImage }[],
  consent: StickConsent,
  host: Pick<Host, 'run'>,
): Promise<PlannedStick[]> {
  const planned: PlannedStick[] = [];
  for (const { path, image } of pairs) {
    const device = await inspectDevice(path, host);
    const twice = planned.find((other) => other.device.numbers === device.numbers);
    if (twice !== undefined) {
      throw new EdgefabError(`${twice.device.path} and ${path} are one device: ${device.name}`, {
        code: 'USAGE_INVALID',
        suggestions: ['Name every stick once'],
      });
    }
    planned.push({ device, image, want: stickWant(device, image, consent) });
  }
  return planned;
}

/** Makes of a stick one that somebody confirmed: what is refused all the same must not be touched in any case. */
export function consented(stick: PlannedStick, confirmed: readonly string[]): PlannedStick {
  return { ...stick, want: { ...stick.want, yes: true, wipe: true, confirmed } };
}

function stickWant(device: BlockDevice, image: BootImage, consent: StickConsent): DeviceWant {
  const sector = device.logicalSectorBytes;
  return {
    ...consent,
    purpose: `to write ${image.path}`,
    neededBytes: Math.max(HEAD_BYTES, Math.ceil(image.sizeBytes / sector) * sector),
    content: 'erased',
    sources: [image.path],
  };
}
