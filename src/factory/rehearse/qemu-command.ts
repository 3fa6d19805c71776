import { join } from 'node:path';
import type { VirtualCard } from './network-cards.ts';

/** How a disk is attached decides its name: `scsi` is sda, `virtio` vda, `nvme` nvme0n1. */
export type DiskBus = 'scsi' | 'virtio' | 'nvme';

/** A machine to start: every path absolute. */
export interface MachinePlan {
  readonly name: string;
  readonly memoryMiB: number;
  readonly processors: number;
  readonly accelerator: 'kvm' | 'tcg';
  /** The boot stick's image, which is only read; undefined once it is pulled out. */
  readonly stick: string | undefined;
  /** Which the firmware tries first. A disk nobody has written to is passed over. */
  readonly startsFrom: 'stick' | 'target';
  /** A disk with the cache, an image or a device: nothing is written to it. */
  readonly cacheDisk: string | undefined;
  /** The disk to install to: what the machine writes to it is there when it is started again. */
  readonly target: {
    readonly path: string;
    readonly bus: DiskBus;
    /** `qcow2`: laid over a disk that is not to change. */
    readonly format: 'raw' | 'qcow2';
  };
  readonly cards: readonly VirtualCard[];
  readonly slotsByPath: boolean;
  /** What the machine's clock says when it is switched on; the true time unless given. */
  readonly clock: Date | undefined;
  /** Program and variables of a UEFI firmware; BIOS without. */
  readonly uefi: { readonly code: string; readonly vars: string } | undefined;
  /** Gets the console's text and what the cards saw. */
  readonly logFolder: string;
  /** For sockets, whose paths may be 107 bytes long. */
  readonly socketFolder: string;
}

/** What the machine writes and listens on, by the plan's folders. */
export function machineFiles(plan: Pick<MachinePlan, 'logFolder' | 'socketFolder' | 'cards'>): {
  readonly console: string;
  readonly captures: readonly string[];
  readonly shell: string;
  readonly control: string;
  /** A control socket for one who only listens: QEMU serves one client a socket at a time. */
  readonly events: string;
} {
  return {
    console: join(plan.logFolder, 'console.log'),
    captures: plan.cards.map((_, index) => join(plan.logFolder, `network-${index}.pcap`)),
    shell: join(plan.socketFolder, 'shell'),
    control: join(plan.socketFolder, 'control'),
    events: join(plan.socketFolder, 'events'),
  };
}

/** QEMU reads a comma as the end of a value, and two as one comma. */
function value(text: string): string {
  return text.replaceAll(',', ',,');
}

function drive(id: string, file: string, ...options: readonly string[]): string[] {
  return ['-drive', [`if=none,id=${id},file=${value(file)}`, ...options].join(',')];
}

/** A time as `-rtc` reads it, in UTC. */
function clockBase(clock: Date | undefined): string {
  return clock === undefined ? 'utc' : clock.toISOString().slice(0, 19);
}

const DISK_DEVICE: Readonly<Record<DiskBus, string>> = {
  scsi: 'scsi-hd,bus=scsi.0',
  virtio: 'virtio-blk-pci',
  nvme: 'nvme',
};

/**
 * Gives the arguments of qemu-system-x86_64 for a machine that has a network that leads nowhere,
 * its console in a file, and a second serial port for a shell. It ends instead of starting again.
 */
export function qemuArguments(plan: MachinePlan): string[] {
  const { target, cacheDisk, stick, uefi } = plan;
  const [stickFirst, targetFirst] = plan.startsFrom === 'stick' ? [0, 1] : [1, 0];
  const files = machineFiles(plan);
  // Nehalem has what RHEL 9 asks for (x86-64-v2), and takes half the time to emulate that `max` does.
  const accelerator = plan.accelerator === 'kvm' ? ['kvm', 'host'] : ['tcg,thread=multi', 'Nehalem'];
  const [accel = '', cpu = ''] = accelerator;
  const cards = plan.cards.flatMap(({ netdev, device }, index) => [
    ...['-netdev', netdev.replace(/^[a-z]+/, `$&,id=net${index}`)],
    ...['-device', `${device},netdev=net${index}`],
    ...[
      '-object',
      `filter-dump,id=dump${index},netdev=net${index},file=${value(files.captures[index] ?? '')}`,
    ],
  ]);
  return [
    ...['-name', value(`edgefab-${plan.name}`), '-nodefaults', '-no-user-config', '-no-reboot'],
    ...['-machine', 'pc', '-accel', accel, '-cpu', cpu, '-smp', String(plan.processors)],
    ...['-m', String(plan.memoryMiB), '-display', 'none', '-vga', 'std', '-boot', 'strict=on'],
    ...['-rtc', `base=${clockBase(plan.clock)}`, '-device', 'virtio-rng-pci'],
    ...(plan.slotsByPath ? ['-global', 'PIIX4_PM.acpi-root-pci-hotplug=off'] : []),
    ...(uefi === undefined
      ? []
      : [
          ...['-drive', `if=pflash,unit=0,readonly=on,format=raw,file=${value(uefi.code)}`],
          ...['-drive', `if=pflash,unit=1,format=raw,file=${value(uefi.vars)}`],
        ]),
    // The cards come first: those with a slot of their own must find it free.
    ...cards,
    ...(target.bus === 'scsi' ? ['-device', 'virtio-scsi-pci,id=scsi'] : []),
    ...drive('target', target.path, `format=${target.format}`, 'cache=unsafe'),
    ...['-device', `${DISK_DEVICE[target.bus]},drive=target,serial=edgefab-target,bootindex=${targetFirst}`],
    ...(stick === undefined
      ? []
      : [
          ...drive('stick', stick, 'format=raw', 'readonly=on'),
          ...['-device', `virtio-blk-pci,drive=stick,serial=edgefab-stick,bootindex=${stickFirst}`],
        ]),
    ...(cacheDisk === undefined
      ? []
      : [
          ...drive('cache', cacheDisk, 'format=raw', 'snapshot=on'),
          ...['-device', 'virtio-blk-pci,id=cache-disk,drive=cache,serial=edgefab-cache'],
        ]),
    ...['-chardev', `file,id=console,path=${value(files.console)}`, '-serial', 'chardev:console'],
    ...[
      '-chardev',
      `socket,id=shell,path=${value(files.shell)},server=on,wait=off`,
      '-serial',
      'chardev:shell',
    ],
    ...[files.control, files.events].flatMap((path) => ['-qmp', `unix:${value(path)},server=on,wait=off`]),
  ];
}
