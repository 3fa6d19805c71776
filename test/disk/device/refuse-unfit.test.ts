import { symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeBlankLoop } from '../../support/blank-loop.ts';
import { asSda, type DangerRow, STICK_BYTES, stick, testDangers } from '../../support/danger-rows.ts';
import { disguise, fakeMachine } from '../../support/fake-machine.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const ROWS: readonly DangerRow[] = [
  {
    name: 'a disk of a byte too few',
    refused: ['too-small'],
    make: () => stick(() => ({ want: { neededBytes: STICK_BYTES + 1 } })),
  },
  {
    name: 'a write-protected disk',
    refused: ['read-only'],
    make: () => {
      const { device, image } = makeBlankLoop(STICK_BYTES, ['-r']);
      return { path: device, image };
    },
  },
  {
    name: 'a disk that cannot be read',
    refused: ['unreadable'],
    make: () =>
      stick((_, image) => {
        truncateSync(image, 4096);
      }),
  },
  {
    name: 'a partition',
    refused: ['partition'],
    make: () =>
      stick((device) => ({
        roots: fakeMachine({
          sys: {
            'sda/dev': '8:0',
            'sda/sda1/partition': '1',
            'sda1/partition': '1',
            ...disguise(device, 'sda1'),
          },
        }),
      })),
  },
  ...['sr0', 'md0', 'dm-3', 'mmcblk0boot0', 'zram1'].map((name) => ({
    name: `what is no plain disk: ${name}`,
    refused: ['not-a-disk'],
    make: () => stick((device) => ({ roots: fakeMachine({ sys: disguise(device, name) }) })),
  })),
  {
    name: 'an empty card reader',
    refused: ['DEVICE_REFUSED'],
    make: () => asSda(() => ({ sys: { 'sda/size': '0' } })),
  },
  {
    name: 'a device this container has no /sys of',
    refused: ['DEVICE_REFUSED'],
    make: () => stick(() => ({ roots: fakeMachine({}) })),
  },
  {
    name: 'a missing path',
    refused: ['DEVICE_UNKNOWN'],
    make: () => ({ path: '/dev/disk/by-id/usb-nothing' }),
  },
  {
    name: 'a regular file',
    refused: ['DEVICE_REFUSED'],
    make: () => {
      const image = join(tempFolder(), 'sdx');
      writeFileSync(image, 'kept');
      return { path: image, image };
    },
  },
  { name: 'a folder', refused: ['DEVICE_REFUSED'], make: () => ({ path: tempFolder() }) },
  { name: 'a character device', refused: ['DEVICE_REFUSED'], make: () => ({ path: '/dev/null' }) },
  {
    name: 'a link to a character device',
    refused: ['DEVICE_REFUSED'],
    make: () => {
      const link = join(tempFolder(), 'usb-stick');
      symlinkSync('/dev/null', link);
      return { path: link };
    },
  },
  {
    name: 'a link to a file',
    refused: ['DEVICE_REFUSED'],
    make: () => {
      const folder = tempFolder();
      const image = join(folder, 'disk.img');
      writeFileSync(image, 'kept');
      symlinkSync(image, join(folder, 'usb-stick'));
      return { path: join(folder, 'usb-stick'), image };
    },
  },
];

testDangers('what is no fit device', ROWS);
