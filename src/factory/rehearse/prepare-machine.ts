import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Ignition } from '../../boot/ignition/ignition.ts';
import { EdgefabError } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { Site } from '../site.ts';
import { prepareUefi } from './firmware.ts';
import { busOf, hasKvm, installDiskOf, layOver, makeTarget, memoryFor } from './machine-parts.ts';
import { planCards } from './network-cards.ts';
import type { MachinePlan } from './qemu-command.ts';
import { writeStickView } from './stick-view.ts';

export interface MachineOptions {
  /** An image or a device with the cache; nothing is written to it. */
  readonly disk: string;
  readonly memoryMiB: number | undefined;
  readonly firmware: 'bios' | 'uefi';
  readonly processors: number;
  /** What its clock says whenever it is switched on; the true time unless given. */
  readonly clock?: Date | undefined;
}

/** A machine that can be started, and what it has otherwise than the site's. */
export interface PreparedMachine {
  readonly plan: MachinePlan;
  readonly notes: readonly string[];
}

/**
 * Lays out what a site's machine is made of: its ISO with a console, a disk to install to, its cards. `scratch` gets
 * what is to be thrown away, `logFolder` what stays. Throws FILE_UNREADABLE, SPACE_SHORT, TOOL_MISSING, and what
 * `writeStickView` throws.
 */
export async function prepareMachine(
  site: Site,
  built: { readonly iso: string; readonly ignition: Ignition },
  options: MachineOptions,
  folders: { readonly scratch: string; readonly logFolder: string },
  host: Pick<Host, 'randomBytes' | 'run'>,
): Promise<PreparedMachine> {
  const { disk, firmware, processors } = options;
  await assertDisk(disk);
  const memoryMiB = await memoryFor(site, options.memoryMiB);
  const { cards, slotsByPath, notes } = planCards(site.network);
  const installDisk = installDiskOf(site, built.ignition);
  const bus = busOf(installDisk);
  const inside = (name: string): string => join(folders.scratch, name);
  const ownCache = site.cache.location === 'installDisk';
  const target = ownCache
    ? { path: inside('target.qcow2'), format: 'qcow2' as const }
    : { path: inside('target.img'), format: 'raw' as const };
  await (ownCache ? layOver(disk, target.path, host) : makeTarget(target.path));
  const stick = inside('stick.iso');
  await writeStickView(built.iso, stick, host);
  const accelerator = (await hasKvm()) ? 'kvm' : 'tcg';
  return {
    plan: {
      name: site.name,
      memoryMiB,
      processors,
      accelerator,
      stick,
      cacheDisk: ownCache ? undefined : disk,
      startsFrom: 'stick',
      target: { ...target, bus: bus ?? 'scsi' },
      clock: options.clock,
      cards,
      slotsByPath,
      uefi: firmware === 'uefi' ? await prepareUefi(inside('vars.fd')) : undefined,
      logFolder: folders.logFolder,
      socketFolder: folders.scratch,
    },
    notes: [
      ...notes,
      ...(bus === undefined ? [`the disk to install to is /dev/sda here, not ${installDisk}`] : []),
      ...(accelerator === 'tcg' ? ['there is no KVM here: everything takes several times as long'] : []),
      ...(memoryMiB === site.machine.ramMiB
        ? []
        : [`the machine has ${memoryMiB} MiB of memory, the site ${site.machine.ramMiB ?? 'does not say'}`]),
    ],
  };
}

async function assertDisk(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isFile() === true || found?.isBlockDevice() === true) return;
  throw new EdgefabError(`${path} is no disk: want a block device or an image of a whole disk`, {
    code: 'FILE_UNREADABLE',
    suggestions: [
      'Name the disk the cache was written to, for example /dev/disk/by-id/usb-…, or an image of it',
    ],
    place: { file: path },
  });
}
