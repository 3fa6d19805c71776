import { showText } from '../../formats/shown-text.ts';
import type { BlockDevice, DeviceUse } from './block-device.ts';
import { confirmationOf, describeContent } from './describe-device.ts';

/** What somebody is about to do with a whole device, and what they said of it. */
export interface DeviceWant {
  /** Ends the sentence "refused …": `to write boot.iso`. */
  readonly purpose: string;
  readonly neededBytes: number;
  /** Whether what is on the device goes, or only something is added to it. */
  readonly content: 'erased' | 'kept';
  /** `--yes`, or a person at the terminal. */
  readonly yes: boolean;
  /** `--wipe`: what is there may go. */
  readonly wipe: boolean;
  /** `--confirm`, each a serial or what `confirmationOf` asks for instead. */
  readonly confirmed: readonly string[];
  /** Files that are read meanwhile. */
  readonly sources?: readonly string[];
}

/** A reason not to touch a device. `kind` is for programs; a forced one goes away by being told so exactly. */
export interface DeviceDanger {
  readonly kind:
    | DeviceUse['kind']
    | 'partition'
    | 'not-a-disk'
    | 'ambiguous-name'
    | 'read-only'
    | 'too-small'
    | 'unreadable'
    | 'source'
    | 'not-confirmed'
    | 'not-empty'
    | 'wrong-confirmation';
  readonly message: string;
  readonly suggestion: string;
}

/** Lists every reason not to do this to a device; empty when it may be done. Decides on values alone: reads nothing. */
export function deviceDangers(device: BlockDevice, want: DeviceWant): DeviceDanger[] {
  // Of the system disk, all the rest that is mounted is no news.
  const system = device.uses.filter(({ kind }) => kind === 'system');
  return [
    ...kindDangers(device),
    ...(system.length > 0 ? system : device.uses).map(useDanger),
    ...sizeDangers(device, want),
    ...consentDangers(device, want),
  ];
}

function kindDangers({ kind, name, twins, path, readOnly, backingFile }: BlockDevice): DeviceDanger[] {
  const dangers: DeviceDanger[] = [];
  if (kind === 'partition') {
    dangers.push({
      kind: 'partition',
      message: `${name} is a partition: want the whole disk`,
      suggestion: 'Name the disk it is on: lsblk shows which one that is',
    });
  }
  if (kind === 'other') {
    dangers.push({
      kind: 'not-a-disk',
      message: `${name} is no plain disk: an optical drive, memory, or one made of others`,
      suggestion: 'Name a USB stick or a disk',
    });
  }
  // udev gives a name that two disks claim to one of them, the one plugged in last.
  if (twins.length > 0 && path.includes('/by-id/')) {
    dangers.push({
      kind: 'ambiguous-name',
      message: `${path} leads to ${name}, but ${twins.join(', ')} has the same serial: the name may as well mean that`,
      suggestion: 'Name it by /dev/disk/by-path, the port it is plugged in, or unplug the other',
    });
  }
  if (readOnly) {
    dangers.push({
      kind: 'read-only',
      message: `${name} is write-protected`,
      suggestion:
        backingFile === undefined
          ? 'Move the lock switch of the stick or card; one that turns read-only by itself is worn out'
          : 'Attach the loop device without -r',
    });
  }
  return dangers;
}

function useDanger(use: DeviceUse): DeviceDanger {
  const { kind, device } = use;
  switch (use.kind) {
    case 'system':
      return {
        kind,
        message: `${device} holds the running system (${showText(use.folder)})`,
        suggestion: 'This disk is never written to; look at its name again',
      };
    case 'mounted':
      return {
        kind,
        message: `${device} is mounted at ${showText(use.folder)}`,
        suggestion: `If it is the right one: umount ${showText(use.folder)}`,
      };
    case 'swap':
      return {
        kind,
        message: `${device} is used as swap`,
        suggestion: `If it is the right one: swapoff /dev/${device}`,
      };
    case 'held':
      return {
        kind,
        message: `${device} is in use by ${showText(use.by)}`,
        suggestion: 'Stop that first: umount, vgchange -an, cryptsetup close, mdadm --stop or multipath -f',
      };
    case 'loop':
      return {
        kind,
        message: `${device} is in use through ${use.by}`,
        suggestion: `If nothing needs that: losetup -d /dev/${use.by}`,
      };
    case 'member':
      return {
        kind,
        message: `${device} belongs to a pool of disks (${showText(use.of)}), which erasing would damage`,
        suggestion:
          'Take it out of the pool with its own tool (vgreduce and pvremove, mdadm --zero-superblock, zpool labelclear); ' +
          'if the pool is long gone: wipefs -a on the device or partition',
      };
    case 'busy':
      return {
        kind,
        message: `${device} is held by a program or a container: it cannot be opened alone`,
        suggestion: 'Stop what uses it; lsof and lsblk on the machine itself tell more',
      };
    default:
      return use satisfies never;
  }
}

function sizeDangers(
  device: BlockDevice,
  { neededBytes, purpose, sources = [] }: DeviceWant,
): DeviceDanger[] {
  const { name, sizeBytes, content, backingFile } = device;
  const dangers: DeviceDanger[] = [];
  if (sizeBytes < neededBytes) {
    dangers.push({
      kind: 'too-small',
      message: `${name} has ${sizeBytes} bytes, ${neededBytes} are needed ${purpose}: ${neededBytes - sizeBytes} short`,
      suggestion: 'Use a larger one',
    });
  }
  if (content.kind === 'unreadable') {
    dangers.push({
      kind: 'unreadable',
      message: `${name} ${describeContent(content)}`,
      suggestion:
        'Run the same command with sudo; if root cannot read it either, it is broken: dmesg tells, use another',
    });
  }
  if (backingFile !== undefined && sources.includes(backingFile)) {
    dangers.push({
      kind: 'source',
      message: `${name} is made of ${backingFile}, which is to be read`,
      suggestion: 'Name another device',
    });
  }
  return dangers;
}

function consentDangers(device: BlockDevice, want: DeviceWant): DeviceDanger[] {
  const { name, content } = device;
  const { yes, wipe, confirmed } = want;
  if (content.kind === 'unreadable') return [];
  if (content.kind === 'blank' || content.kind === 'unfinished') {
    if (yes) return [];
    return [
      {
        kind: 'not-confirmed',
        message: `nobody confirmed ${name}, which is ${describeContent(content)}`,
        suggestion: 'Add --yes if it is the right one',
      },
    ];
  }
  const { text, what } = confirmationOf(device);
  const shown = showText(text, 200);
  const isErased = want.content === 'erased';
  const flags = `${isErased ? '--wipe ' : ''}--yes --confirm '${shown}'`;
  const dangers: DeviceDanger[] = [];
  if ((isErased && !wipe) || !yes || confirmed.length === 0) {
    dangers.push({
      kind: 'not-empty',
      message: `${name} is not empty: ${describeContent(content)}`,
      suggestion: `If ${isErased ? 'all of it may go' : 'it is the right one'}: ${flags} (its ${what})`,
    });
  }
  if (confirmed.length > 0 && !confirmed.includes(text)) {
    const said = confirmed.map((one) => showText(one, 200)).join(', ');
    dangers.push({
      kind: 'wrong-confirmation',
      message: `${name} was not confirmed: its ${what} is ${shown}, confirmed was ${said}`,
      suggestion: `Look at its name again; if it is the right one: ${flags}`,
    });
  }
  return dangers;
}
