import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { BlockDevice } from '../device/block-device.ts';
import { type MachineRoots, readAttribute } from '../device/machine-roots.ts';
import { deviceNumbers } from '../device/mounts.ts';

type Disk = Pick<BlockDevice, 'path' | 'realPath' | 'name' | 'logicalSectorBytes'>;

/** A partition's place in its table. */
interface PartitionPlace {
  readonly number: number;
  readonly firstLba: number;
  readonly lastLba: number;
}

/** A block device that is one partition, to be closed after use. */
interface PartitionNode extends AsyncDisposable {
  readonly path: string;
}

/** What sysfs counts in, whatever the disk's own sectors are. */
const SYSFS_SECTOR_BYTES = 512;
const ATTEMPTS = 20;
const WAIT_MS = 250;

/** What the kernel calls a partition: `sda5`, `nvme0n1p5`. */
function partitionName(disk: string, number: number): string {
  return `${disk}${/\d$/.test(disk) ? 'p' : ''}${number}`;
}

/** What the kernel takes for this partition; `other` when that is not what the table says. */
async function kernelView(
  disk: Disk,
  { number, firstLba, lastLba }: PartitionPlace,
  roots: MachineRoots,
): Promise<'same' | 'other' | 'none'> {
  const own = join(roots.sys, 'class/block', partitionName(disk.name, number));
  const start = await readAttribute(join(own, 'start'));
  const size = await readAttribute(join(own, 'size'));
  if (start === undefined || size === undefined) return 'none';
  const factor = disk.logicalSectorBytes / SYSFS_SECTOR_BYTES;
  const isSame = Number(start) === firstLba * factor && Number(size) === (lastLba - firstLba + 1) * factor;
  return isSame ? 'same' : 'other';
}

/**
 * Opens a partition that was just written to the table. The kernel is told and udev waited for; where the kernel does
 * not show partitions, a loop device over that part of the disk stands in. Throws DEVICE_REFUSED where the kernel goes
 * on using an older table: what is written then would land elsewhere.
 */
export async function openPartition(
  disk: Disk,
  place: PartitionPlace,
  host: Pick<Host, 'run' | 'sleep'>,
  roots: MachineRoots,
): Promise<PartitionNode> {
  const path = join(roots.dev, partitionName(disk.name, place.number));
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if ((await kernelView(disk, place, roots)) === 'same' && (await isNodeOf(path, disk, place, roots))) {
      return { path, [Symbol.asyncDispose]: async () => undefined };
    }
    const isTold = await tellKernel(disk, place, host);
    if (!isTold && (await kernelView(disk, place, roots)) === 'none') break;
    await host.sleep(WAIT_MS);
  }
  if ((await kernelView(disk, place, roots)) === 'other') throw staleTable(disk, place.number);
  return await openLoop(disk, place, host);
}

/** Checks that the kernel uses the table as it now is, and tells it to first. Throws DEVICE_REFUSED. */
export async function assertKernelAgrees(
  disk: Disk,
  places: readonly PartitionPlace[],
  gone: readonly number[],
  host: Pick<Host, 'run' | 'sleep'>,
  roots: MachineRoots,
): Promise<void> {
  const stale = async (): Promise<number | undefined> => {
    for (const place of places) {
      if ((await kernelView(disk, place, roots)) === 'other') return place.number;
    }
    for (const number of gone) {
      const left = join(roots.sys, 'class/block', partitionName(disk.name, number), 'start');
      if ((await readAttribute(left)) !== undefined) return number;
    }
    return undefined;
  };
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    if ((await stale()) === undefined) return;
    await runQuietly('partx', ['-u', disk.realPath], host);
    for (const number of gone) await runQuietly('partx', ['-d', '--nr', String(number), disk.realPath], host);
    await runQuietly('udevadm', ['settle', '--timeout=10'], host);
    if (attempt > 0) await host.sleep(WAIT_MS);
  }
  const number = await stale();
  if (number !== undefined) throw staleTable(disk, number);
}

/** Tells the kernel of one partition; false when it will not hear of any. */
async function tellKernel(disk: Disk, { number }: PartitionPlace, host: Pick<Host, 'run'>): Promise<boolean> {
  // Reading the whole table again (BLKRRPART) is what sgdisk has done; single partitions can be told where that failed.
  const updated = await runQuietly('partx', ['-u', disk.realPath], host);
  const added = await runQuietly('partx', ['-a', '--nr', String(number), disk.realPath], host);
  await runQuietly('udevadm', ['settle', '--timeout=10'], host);
  return updated || added;
}

/** Runs what may be absent or fail, where looking afterwards tells more than its status. */
async function runQuietly(
  program: string,
  args: readonly string[],
  host: Pick<Host, 'run'>,
): Promise<boolean> {
  try {
    return (await host.run(program, args)).exitCode === 0;
  } catch (error) {
    if (hasCode(error, 'TOOL_MISSING')) return false;
    throw error;
  }
}

/** Tells whether the file under /dev is this very partition: in a container it may be missing, or an old one. */
async function isNodeOf(
  path: string,
  disk: Disk,
  { number }: PartitionPlace,
  roots: MachineRoots,
): Promise<boolean> {
  const numbers = await readAttribute(
    join(roots.sys, 'class/block', partitionName(disk.name, number), 'dev'),
  );
  const found = await stat(path, { bigint: true }).catch(() => undefined);
  return found?.isBlockDevice() === true && deviceNumbers(found.rdev) === numbers;
}

async function openLoop(
  disk: Disk,
  { firstLba, lastLba }: PartitionPlace,
  host: Pick<Host, 'run'>,
): Promise<PartitionNode> {
  const { logicalSectorBytes: sectorBytes, realPath } = disk;
  const done = await host.run('losetup', [
    ...['-f', '--show', '-o', String(firstLba * sectorBytes)],
    ...['--sizelimit', String((lastLba - firstLba + 1) * sectorBytes)],
    ...['--sector-size', String(sectorBytes), realPath],
  ]);
  const path = done.stdout.trim();
  if (done.exitCode !== 0 || !path.startsWith('/dev/')) {
    throw new EdgefabError(
      `the kernel does not show the new partition of ${disk.path}, and losetup makes no device of it: ${done.stderr.trim()}`,
      {
        code: 'DEVICE_REFUSED',
        suggestions: ['Unplug the disk, plug it in again, and run the same command: it goes on from here'],
      },
    );
  }
  return {
    path,
    [Symbol.asyncDispose]: async () => {
      await host.run('losetup', ['-d', path]);
    },
  };
}

function staleTable(disk: Disk, number: number): EdgefabError {
  return new EdgefabError(
    `the table of ${disk.path} is written, but the kernel still uses the old one (${partitionName(disk.name, number)}): what is written to a partition now would land in the wrong place`,
    {
      code: 'DEVICE_REFUSED',
      suggestions: [
        'Reboot, or unplug the disk and plug it in again; until then mount nothing of it',
        'Then run the same command again: it goes on from here',
      ],
    },
  );
}
