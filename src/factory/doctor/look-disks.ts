import { type LabelLookup, labelLookup } from '../../disk/cache/labelled-devices.ts';
import type { BlockDevice } from '../../disk/device/block-device.ts';
import { describeContent, describeDevice } from '../../disk/device/describe-device.ts';
import { inspectDevice } from '../../disk/device/inspect-device.ts';
import { ROOT_BYTES } from '../../disk/partition/partition-plan.ts';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Finding } from './finding.ts';

/** The labels a machine's units look for: of the USB disk, and of the partition on its own disk. */
const LABELS = ['edgefab', 'edgefab-node'];

/** Looks whether the disk that is to be installed on is there, large enough and not the one this system runs from. */
export async function lookAtInstallDisk(path: string, host: Pick<Host, 'run'>): Promise<Finding> {
  const what = `install disk ${path}`;
  let disk: BlockDevice;
  try {
    disk = await inspectDevice(path, host);
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    const remedy = 'ls -l /dev/disk/by-id tells what is there; correct installDisk and build the stick again';
    return { what, state: 'missing', detail: error.message, remedy };
  }
  const detail = `${describeDevice(disk)}; ${describeContent(disk.content)}`;
  if (disk.uses.some(({ kind }) => kind === 'system')) {
    const remedy = 'Start the machine from the boot stick, not from its own disk';
    return { what, state: 'missing', detail: `${detail}; this system runs from it`, remedy };
  }
  if (disk.sizeBytes < ROOT_BYTES) {
    const remedy = `A node needs ${ROOT_BYTES / 1024 ** 3} GiB, and a cache on the same disk its own size besides`;
    return { what, state: 'missing', detail: `${detail}; too small`, remedy };
  }
  return { what, state: 'ok', detail };
}

/** Looks how many partitions have the label of a cache: the machine takes neither of two. */
export async function lookAtCacheLabels(
  host: Pick<Host, 'run'>,
  lookup: LabelLookup = labelLookup(host),
): Promise<Finding[]> {
  return await Promise.all(
    LABELS.map(async (label): Promise<Finding> => {
      const what = `label ${label}`;
      const found = await lookup(label);
      if (found.length < 2)
        return { what, state: 'ok', detail: found[0] ?? 'no partition has it, as far as the kernel knows' };
      const remedy = 'Unplug all but the one that is meant';
      return {
        what,
        state: 'missing',
        detail: `${found.length} partitions have it: ${found.join(', ')}`,
        remedy,
      };
    }),
  );
}
