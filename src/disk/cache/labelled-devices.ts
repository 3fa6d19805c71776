import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';

/** The label of a cache disk: of its partition (GPT name), or of its file system. */
export const CACHE_LABEL = 'edgefab';

/** Where udev makes a link for each partition label. */
const BY_PARTLABEL = '/dev/disk/by-partlabel';

/** Finds the block devices with a label; a host that knows its devices another way brings its own. */
export type LabelLookup = (label: string) => Promise<readonly string[]>;

/**
 * Makes the usual lookup: what blkid finds on the devices the kernel knows, so that a second disk with the same
 * label is seen, and the link udev made, which alone would hide it.
 */
export function labelLookup(host: Pick<Host, 'run'>, links = BY_PARTLABEL): LabelLookup {
  return async (label) => {
    const found = new Set<string>();
    const link = await realpath(join(links, encodeURIComponent(label))).catch(() => undefined);
    if (link !== undefined) found.add(link);
    for (const tag of ['PARTLABEL', 'LABEL']) {
      // Without its cache file: what was plugged in yesterday is not there today.
      const { stdout } = await host.run('blkid', [
        '-c',
        '/dev/null',
        '-o',
        'device',
        '-t',
        `${tag}=${label}`,
      ]);
      for (const line of stdout.split('\n')) {
        if (line !== '') found.add(await realpath(line).catch(() => line));
      }
    }
    return [...found].sort();
  };
}

/** Finds the one device that a path or a label means. Throws DEVICE_UNKNOWN, and DEVICE_REFUSED when it is not one. */
export async function findDevice(name: string, lookup: LabelLookup): Promise<string> {
  if (name.startsWith('/')) {
    return await realpath(name).catch((cause: unknown) => {
      throw new EdgefabError(`there is no device ${name}`, { code: 'DEVICE_UNKNOWN', cause });
    });
  }
  const found = await lookup(name);
  const [device] = found;
  if (device === undefined) {
    throw new EdgefabError(`no partition is labelled ${name}`, {
      code: 'DEVICE_UNKNOWN',
      suggestions: ['Plug the disk in; blkid shows what the labels of all partitions are'],
    });
  }
  if (found.length > 1) {
    throw new EdgefabError(`${found.length} partitions are labelled ${name}: ${found.join(', ')}`, {
      code: 'DEVICE_REFUSED',
      suggestions: ['Unplug all but one, or name the device by its path'],
    });
  }
  return device;
}
