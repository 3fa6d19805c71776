/** Something the machine does with a device, or with a part of it; `device` is the kernel name of that part. */
export type DeviceUse =
  | { readonly kind: 'system'; readonly device: string; readonly folder: string }
  | { readonly kind: 'mounted'; readonly device: string; readonly folder: string }
  | { readonly kind: 'swap'; readonly device: string }
  /** Device-mapper (LVM, LUKS, multipath), md, bcache: `by` is what is built on it. */
  | { readonly kind: 'held'; readonly device: string; readonly by: string }
  /** A loop device made of it, or of the same file as it. */
  | { readonly kind: 'loop'; readonly device: string; readonly by: string }
  /** By its signature a part of a pool of disks (LVM, RAID, ZFS …), whether that runs now or not. */
  | { readonly kind: 'member'; readonly device: string; readonly of: string }
  /** An exclusive open was refused, and nothing above tells why: another container, or ZFS. */
  | { readonly kind: 'busy'; readonly device: string };

/** A signature found on a device; `offset` is bytes from the start of the device. */
export interface DeviceSignature {
  readonly offset: number;
  /** As libblkid names it: `gpt`, `dos`, `iso9660`, `xfs`, `LVM2_member` … */
  readonly type: string;
  readonly label?: string;
  /** The number of the partition it is in; without it, the whole device's own. */
  readonly partition?: number;
}

/** A partition as the table on the device tells, whatever the kernel knows of it. Bytes from the start of the device. */
export interface DevicePartition {
  readonly number: number;
  readonly offset: number;
  readonly sizeBytes: number;
  readonly name: string;
}

/** What is on a device. */
export type DeviceContent =
  /** No signature, and zeros wherever it was looked. */
  | { readonly kind: 'blank' }
  /** Only the mark of a stick edgefab did not finish. */
  | { readonly kind: 'unfinished' }
  /** No signature, but bytes that are not zero, such as at `offset`: perhaps encrypted. */
  | { readonly kind: 'data'; readonly offset: number }
  | {
      readonly kind: 'signatures';
      readonly signatures: readonly DeviceSignature[];
      readonly partitions: readonly DevicePartition[];
      /** Where an edgefab cache is by its label: on the whole device, or on a partition. */
      readonly cache?: string;
    }
  /** It could not be read: no right to, or the device is broken. */
  | { readonly kind: 'unreadable'; readonly reason: string };

/** A block device as it was when it was looked at. Nothing here is trusted after it was opened: `openDevice` looks again. */
export interface BlockDevice {
  /** As the user named it. */
  readonly path: string;
  /** Without symbolic links. */
  readonly realPath: string;
  /** The kernel's name: `sdb`. */
  readonly name: string;
  /** MAJOR:MINOR. */
  readonly numbers: string;
  readonly kind: 'disk' | 'partition' | 'loop' | 'other';
  /** Names under /dev/disk/by-id and /dev/disk/by-path that lead here, the most telling first. */
  readonly byId: readonly string[];
  readonly byPath: readonly string[];
  readonly serial?: string;
  readonly model?: string;
  readonly transport?: string;
  /** Kernel names of other disks that call themselves the same: then neither serial nor by-id name tells them apart. */
  readonly twins: readonly string[];
  readonly removable: boolean;
  readonly sizeBytes: number;
  readonly logicalSectorBytes: number;
  readonly physicalSectorBytes: number;
  readonly readOnly: boolean;
  /** The file a loop device is made of. */
  readonly backingFile?: string;
  readonly uses: readonly DeviceUse[];
  readonly content: DeviceContent;
}
