import { open, readFile, truncate, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileText } from '../../boot/ignition/file-contents.ts';
import type { Ignition } from '../../boot/ignition/ignition.ts';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Site } from '../site.ts';
import type { DiskBus } from './qemu-command.ts';

const MIB = 1024 ** 2;
/** coreos-installer, the cluster and 120 GiB for its root fit; the file is sparse. */
const TARGET_BYTES = 240 * 1024 ** 3;
/** As much as the installer asks a single node to have. */
export const DEFAULT_MEMORY_MIB = 16_384;

/** The settings edgefab's units have in this config; empty where they have none. */
export function unitSettings(ignition: Ignition): ReadonlyMap<string, string> {
  const text = fileText(ignition, '/etc/edgefab/registry.env') ?? '';
  return new Map(
    [...text.matchAll(/^([A-Z_]+)=(.*)$/gm)].map(([, key = '', value = '']): [string, string] => [
      key,
      value.replace(/^"(.*)"$/, '$1'),
    ]),
  );
}

/** Finds the disk a config installs to, as the site or the installer's script names it. */
export function installDiskOf(site: Pick<Site, 'installDisk'>, ignition: Ignition): string {
  if (site.installDisk !== undefined)
    return 'path' in site.installDisk ? site.installDisk.path : site.installDisk.byId;
  const script = fileText(ignition, '/usr/local/bin/install-to-disk.sh') ?? '';
  return /^[^#\n]*coreos-installer install .*\s(\/dev\/[\w./:+-]+)\s*$/m.exec(script)?.[1] ?? '/dev/sda';
}

/** Says how a disk must be attached to get this name; undefined when a rehearsal cannot give it that name. */
export function busOf(disk: string): DiskBus | undefined {
  if (disk === '/dev/sda') return 'scsi';
  if (disk === '/dev/vda') return 'virtio';
  return disk === '/dev/nvme0n1' ? 'nvme' : undefined;
}

/** Makes an empty disk that takes up nothing until it is written to. */
export async function makeTarget(path: string): Promise<void> {
  await writeFile(path, '', { mode: 0o600 });
  await truncate(path, TARGET_BYTES);
}

/** Makes a disk that shows another until it is written to; that one never changes. Throws TOOL_MISSING, TOOL_FAILED. */
export async function layOver(disk: string, path: string, host: Pick<Host, 'run'>): Promise<void> {
  const options = ['-q', '-f', 'qcow2', '-F', 'raw', '-b', resolve(disk)];
  const { exitCode, stderr } = await host.run('qemu-img', ['create', ...options, path]);
  if (exitCode === 0) return;
  throw new EdgefabError(`qemu-img cannot lay a disk over ${disk}: ${stderr.trim().slice(-500)}`, {
    code: 'TOOL_FAILED',
    suggestions: ['See whether this user may read the disk, and whether there is room for temporary files'],
    place: { file: disk },
  });
}

/** Tells whether this machine can run others at full speed: KVM is there, is ours to use, and works. */
export async function hasKvm(device = '/dev/kvm'): Promise<boolean> {
  const file = await open(device, 'r+').catch(() => undefined);
  await file?.close();
  return file !== undefined;
}

/**
 * Says how much memory the machine gets: what was asked for, else what the site has, so that its budget is tried for
 * real. Throws SPACE_SHORT when that is more than there is here. Format: proc_meminfo(5).
 */
export async function memoryFor(
  site: Pick<Site, 'name' | 'machine'>,
  asked: number | undefined,
  meminfo = '/proc/meminfo',
): Promise<number> {
  const memoryMiB = asked ?? site.machine.ramMiB ?? DEFAULT_MEMORY_MIB;
  const text = await readFile(meminfo, 'utf8').catch(() => '');
  const kib = /^MemAvailable:\s+([0-9]+) kB$/m.exec(text)?.[1];
  const availableMiB = kib === undefined ? Number.POSITIVE_INFINITY : Math.floor((Number(kib) * 1024) / MIB);
  if (memoryMiB <= availableMiB) return memoryMiB;
  throw new EdgefabError(
    `the machine of site ${site.name} has ${memoryMiB} MiB of memory, and ${availableMiB} MiB are free here`,
    {
      code: 'SPACE_SHORT',
      suggestions: [
        'Rehearse on a larger workstation',
        'Or give it less with --memory: then it is not tried whether the memory of the site is enough',
      ],
    },
  );
}
