import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { asSda, type DangerRow, testDangers } from '../../support/danger-rows.ts';

const PARTITION = { 'sda1/dev': '8:1', 'sda/sda1/partition': '1', 'sda1/partition': '1' };
const MAPPED = { ...PARTITION, 'dm-0/dev': '252:0', 'dm-0/slaves/sda1': '', 'dm-0/dm/name': 'vg-root' };

const ROWS: readonly DangerRow[] = [
  {
    name: 'a disk with LVM on a partition',
    refused: ['held'],
    make: () => asSda(() => ({ sys: { ...PARTITION, 'sda1/holders/dm-0': '', 'dm-0/dm/name': 'vg-data' } })),
  },
  {
    name: 'a disk in a running RAID',
    refused: ['held'],
    make: () => asSda(() => ({ sys: { 'sda/holders/md127': '' } })),
  },
  {
    name: 'the second disk of a mounted btrfs',
    refused: ['held'],
    make: () => asSda(() => ({ fs: { 'btrfs/5c1f9b3e/devices/sda': '' } })),
  },
  {
    name: 'the system disk, under LVM',
    refused: ['system'],
    make: () => asSda(() => ({ sys: MAPPED, mountinfo: ['22 1 252:0 / / rw - xfs /dev/mapper/vg-root rw'] })),
  },
  {
    name: 'the system disk, under LVM on RAID',
    refused: ['system'],
    make: () =>
      asSda(() => ({
        sys: {
          ...PARTITION,
          'md0/dev': '9:0',
          'md0/slaves/sda1': '',
          'dm-0/dev': '252:0',
          'dm-0/slaves/md0': '',
        },
        mountinfo: ['22 1 252:0 / /var rw - xfs /dev/mapper/vg-var rw'],
      })),
  },
  {
    name: 'the disk with the EFI partition of the system',
    refused: ['system'],
    make: () => asSda(() => ({ sys: PARTITION, mountinfo: ['22 1 8:1 / /boot/efi rw - vfat /dev/sda1 rw'] })),
  },
  {
    name: 'the stick the running live system came from',
    refused: ['system'],
    make: () => asSda((device) => ({ mountinfo: [`22 1 0:40 / /run/media/iso ro - iso9660 ${device} ro`] })),
  },
  {
    name: 'the disk that a container sees a file of',
    refused: ['mounted'],
    make: () =>
      asSda(() => ({
        sys: PARTITION,
        mountinfo: ['22 1 8:1 /var/lib/x/hosts /etc/hosts rw - ext4 /dev/sda1 rw'],
      })),
  },
  {
    name: 'the disk with the swap partition under encryption',
    refused: ['swap'],
    make: () =>
      asSda((device) => ({
        sys: { 'dm-0/dev': '252:0', 'dm-0/slaves/sda': '' },
        swaps: [`${device} partition 65532 0 -2`],
      })),
  },
  {
    name: 'the disk with the file of a mounted loop device',
    refused: ['mounted'],
    make: () =>
      asSda(() => ({
        sys: { ...PARTITION, 'loop9/dev': '7:9', 'loop9/loop/backing_file': '/mnt/a/disk.img' },
        mountinfo: [
          '22 1 8:1 / /mnt/a rw - ext4 /dev/sda1 rw',
          '23 1 7:9 / /mnt/b\\040b rw - ext4 /dev/loop9 rw',
        ],
      })),
  },
  {
    name: 'the by-id name that two sticks claim',
    refused: ['ambiguous-name'],
    make: () =>
      asSda(
        (device) => ({
          sys: { 'sdb/dev': '8:16' },
          udev: {
            [readFileSync(`/sys/class/block/${basename(device)}/dev`, 'utf8').trim()]:
              'E:ID_SERIAL_SHORT=0123456789ABCDEF',
            '8:16': 'E:ID_SERIAL_SHORT=0123456789ABCDEF',
          },
          links: { 'by-id/usb-Cheap_0123456789ABCDEF-0:0': device },
        }),
        (roots) => join(roots.dev, 'disk/by-id/usb-Cheap_0123456789ABCDEF-0:0'),
      ),
  },
];

testDangers('a device the machine stands on', ROWS);
