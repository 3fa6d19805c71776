import { mkdtemp, open, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { EdgefabError } from '../../errors.ts';
import { decodeXfsSuperblock, XFS_SUPERBLOCK_BYTES } from '../../formats/xfs-superblock.ts';
import type { Host } from '../../host/host.ts';
import { deviceNumbers, mountsOf } from '../device/mounts.ts';
import { CACHE_LABEL, findDevice, type LabelLookup, labelLookup } from './labelled-devices.ts';
import { MAKE_XFS } from './make-xfs.ts';
import { xfsFaults } from './xfs-features.ts';

export interface CacheDeviceOptions {
  /** The user edgefab runs as; only 0 may mount. */
  readonly uid: number | undefined;
  readonly lookup?: LabelLookup;
  /** Where the mount point is made. */
  readonly mountRoot?: string;
}

/** What the live CoreOS of every release mounts, and what has links and large files. */
const FILE_SYSTEMS = ['xfs', 'ext4'];
const MOUNT_PREFIX = 'edgefab-cache-';
/** A cache is data: nothing on it is run or trusted as a device. */
const MOUNT_OPTIONS = 'nosuid,nodev,noexec';

function refuse(message: string, suggestions: readonly string[] = [], cause?: unknown): EdgefabError {
  return new EdgefabError(message, { code: 'DEVICE_REFUSED', suggestions, cause });
}

/**
 * Mounts a prepared cache partition, does the work on the folder, and unmounts it however the work ends. `name` is a
 * device path or a partition label. A device somebody has mounted for writing already is used where it is and left
 * mounted; the mount of an edgefab that was killed is taken over. Throws DEVICE_UNKNOWN; DEVICE_REFUSED when it is
 * not labelled edgefab, has another file system or one a node cannot mount, is mounted read-only, or cannot be
 * unmounted; TOOL_MISSING.
 */
export async function withCacheDevice<T>(
  name: string,
  options: CacheDeviceOptions,
  host: Pick<Host, 'run'>,
  work: (folder: string) => Promise<T>,
): Promise<T> {
  if (options.uid !== 0) {
    throw refuse(`only root may mount ${name}`, [
      'Run the same command with sudo',
      'Or mount the disk yourself and use --folder with where it is mounted',
    ]);
  }
  const device = await findDevice(name, options.lookup ?? labelLookup(host));
  const type = await assertPrepared(device, name, host);
  const mountRoot = options.mountRoot ?? '/run';
  const held = await useMount(device, mountRoot);
  if (held !== undefined && !held.ours) return await work(held.folder);
  const folder = held?.folder ?? (await mount(device, type, mountRoot, host));
  let result: T;
  try {
    result = await work(folder);
  } catch (error) {
    // What went wrong first is what counts; a mount that stays is taken over by the next run.
    await unmount(device, folder, host).catch(() => undefined);
    throw error;
  }
  await unmount(device, folder, host);
  return result;
}

/** Checks label and file system; returns its type. */
async function assertPrepared(device: string, name: string, host: Pick<Host, 'run'>): Promise<string> {
  if (!(await stat(device)).isBlockDevice()) throw refuse(`${name} is not a block device`);
  const { stdout } = await host.run('blkid', ['-p', '-o', 'export', device]);
  const tags = new Map(
    stdout.split('\n').map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const partition = tags.get('PART_ENTRY_NAME');
  const label = tags.get('LABEL');
  const type = tags.get('TYPE');
  if (partition !== CACHE_LABEL && label !== CACHE_LABEL) {
    throw refuse(
      `${device} is not labelled ${CACHE_LABEL}: its partition is called ${partition ?? 'nothing'}, its file system ${label ?? 'nothing'}`,
      [
        `Only a partition prepared for edgefab is written to; if this is the one: ${MAKE_XFS} -L ${CACHE_LABEL} ${device}, which erases it`,
      ],
    );
  }
  if (type === undefined || !FILE_SYSTEMS.includes(type)) {
    throw refuse(
      `${device} has the file system ${type ?? 'none'}, want ${FILE_SYSTEMS.join(' or ')}: a cache needs links and files of more than 4 GiB, and the node must be able to mount it`,
      [`${MAKE_XFS} -L ${CACHE_LABEL} ${device} makes one, and erases what is there`],
    );
  }
  if (type === 'xfs') await assertMountsOnNode(device);
  return type;
}

/** Refuses an XFS made with features the node's kernel does not know: this machine would fill it for nothing. */
async function assertMountsOnNode(device: string): Promise<void> {
  const bytes = Buffer.alloc(XFS_SUPERBLOCK_BYTES);
  await using file = await open(device, 'r');
  await file.read(bytes, 0, bytes.length, 0);
  const superblock = decodeXfsSuperblock(bytes);
  // Whether it goes with the sectors of this disk, the kernel here says.
  const faults = superblock === undefined ? [] : xfsFaults(superblock, superblock.sectorBytes);
  if (faults.length === 0) return;
  const remedies = faults.flatMap(({ remedy }) => (remedy === undefined ? [] : [remedy]));
  const isMended = remedies.length === faults.length;
  throw refuse(
    `the node cannot mount the XFS on ${device}: ${faults.map(({ message }) => message).join('; ')}`,
    [
      ...remedies,
      ...(isMended
        ? []
        : [
            `Copy what is to be kept to another disk, then: ${MAKE_XFS} -f -L ${CACHE_LABEL} ${device}, which erases it`,
          ]),
    ],
  );
}

async function useMount(
  device: string,
  mountRoot: string,
): Promise<{ readonly folder: string; readonly ours: boolean } | undefined> {
  const mounts = await mountsOf(deviceNumbers((await stat(device, { bigint: true })).rdev));
  const readOnly = mounts.find((found) => found.readOnly);
  if (readOnly !== undefined) {
    throw refuse(`${device} is mounted read-only at ${readOnly.folder}`, [
      `Unmount it (umount ${readOnly.folder}) and run the same command again`,
      'A disk that turns read-only by itself has errors: dmesg tells',
    ]);
  }
  const [found] = mounts;
  if (found === undefined) return undefined;
  const ours = dirname(found.folder) === mountRoot && found.folder.startsWith(join(mountRoot, MOUNT_PREFIX));
  return { folder: found.folder, ours };
}

async function mount(
  device: string,
  type: string,
  mountRoot: string,
  host: Pick<Host, 'run'>,
): Promise<string> {
  const folder = await mkdtemp(join(mountRoot, MOUNT_PREFIX));
  const done = await host
    .run('mount', ['-t', type, '-o', MOUNT_OPTIONS, device, folder])
    .catch(async (error: unknown) => {
      await rmdir(folder);
      throw error;
    });
  if (done.exitCode === 0) return folder;
  await rmdir(folder);
  throw refuse(`cannot mount ${device}: ${done.stderr.trim()}`, [
    'Check that nothing else uses it; dmesg tells more',
  ]);
}

async function unmount(device: string, folder: string, host: Pick<Host, 'run'>): Promise<void> {
  const done = await host.run('umount', [folder]);
  if (done.exitCode !== 0) {
    throw refuse(`cannot unmount ${device} from ${folder}: ${done.stderr.trim()}`, [
      `Do not unplug the disk: run umount ${folder} first`,
    ]);
  }
  await rmdir(folder);
}
