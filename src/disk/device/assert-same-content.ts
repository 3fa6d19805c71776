import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { BlockDevice } from './block-device.ts';
import { describeContent } from './describe-device.ts';
import { readContent } from './device-content.ts';

/**
 * Looks again at what is on a device that is open alone by now: between the question and its answer somebody may have
 * copied something to it. Throws DEVICE_REFUSED, TOOL_MISSING.
 */
export async function assertSameContent(device: BlockDevice, host: Pick<Host, 'run'>): Promise<void> {
  const was = describeContent(device.content);
  const is = describeContent(await readContent(device.realPath, device.sizeBytes, host));
  if (was === is) return;
  throw new EdgefabError(
    `${device.path} (${device.name}) changed since it was looked at: there was ${was}, and is ${is}`,
    {
      code: 'DEVICE_REFUSED',
      suggestions: ['Look at what is on it, and run the same command again'],
      place: { file: device.path },
    },
  );
}
