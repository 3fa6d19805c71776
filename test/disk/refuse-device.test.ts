import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, readFileSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type DeviceWant, deviceDangers } from '../../src/disk/device-dangers.ts';
import { inspectDevice } from '../../src/disk/inspect-device.ts';
import type { MachineRoots } from '../../src/disk/machine-roots.ts';
import { openDevice } from '../../src/disk/open-device.ts';
import { refuseDevice, refuseDevices } from '../../src/disk/refuse-device.ts';
import { unfinishedMark } from '../../src/disk/unfinished-mark.ts';
import { realHost } from '../../src/host/real-host.ts';
import { attachAgain, makeBlankLoop } from '../support/blank-loop.ts';
import { disguise, type FakeMachine, fakeMachine } from '../support/fake-machine.ts';
import { makeLoopDevice } from '../support/loop-disk.ts';
import * as signatures from '../support/signatures.ts';
import { canMount } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';

const TOOLS = ['losetup', 'wipefs', 'blkid', 'partx', 'sgdisk', 'mkfs.ext4', 'mkfs.xfs', 'mkswap', 'xorriso'];
const ready = canMount && haveTools(...TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs root, a loop device and ${TOOLS.join(', ')})`;
const STICK_BYTES = 24 * 1024 * 1024;

/** Said of everything: what is refused all the same is refused for good. */
const ALL: DeviceWant = {
  purpose: 'to write boot.iso',
  neededBytes: 4096,
  content: 'erased',
  yes: true,
  wipe: true,
  confirmed: [],
};

interface Found {
  readonly path: string;
  /** What must stay as it is. */
  readonly image?: string;
  readonly roots?: MachineRoots;
  readonly want?: Partial<DeviceWant>;
}

interface Row {
  readonly name: string;
  /** What it is refused for; a code where it cannot even be looked at. */
  readonly refused: readonly string[];
  make(): Found | Promise<Found>;
}

function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'ignore' });
}

/** What a row may add to a stick. */
// biome-ignore lint/suspicious/noConfusingVoidType: most rows only do something to the stick.
type Added = Partial<Found> | void;

/** A stick of zeros, then something done to it. The right words are said: yes, wipe, and its confirmation. */
function stick(work: (device: string, image: string) => Added, bytes = STICK_BYTES): Found {
  const { device, image } = makeBlankLoop(bytes);
  const confirmed = [`${basename(device)}:${bytes}`];
  const { want, ...rest } = work(device, image) ?? {};
  return { path: device, image, want: { confirmed, ...want }, ...rest };
}

function mount(device: string, ...options: readonly string[]): string {
  const folder = tempFolder();
  run('mount', ...options, device, folder);
  onTestFinished(() => run('umount', folder));
  return folder;
}

function ext4(device: string, ...options: readonly string[]): void {
  run('mkfs.ext4', '-q', '-F', ...options, device);
}

/** A stick that the machine shows as the disk `sda`, with other things around it. */
function asSda(around: (device: string) => FakeMachine, path?: (roots: MachineRoots) => string): Found {
  return stick((device) => {
    const made = around(device);
    const roots = fakeMachine({ ...made, sys: { ...disguise(device, 'sda'), ...made.sys } });
    return {
      roots,
      want: { confirmed: [`sda:${STICK_BYTES}`] },
      ...(path === undefined ? {} : { path: path(roots) }),
    };
  });
}

const PARTITION = { 'sda1/dev': '8:1', 'sda/sda1/partition': '1', 'sda1/partition': '1' };
const MAPPED = { ...PARTITION, 'dm-0/dev': '252:0', 'dm-0/slaves/sda1': '', 'dm-0/dm/name': 'vg-root' };

const NOT_TOLD = { yes: true, wipe: false, confirmed: [] };
const filled = (want: (device: string) => Partial<DeviceWant>): Found =>
  stick((device) => {
    ext4(device, '-L', 'photos');
    return { want: want(device) };
  });

const ROWS: readonly Row[] = [
  {
    name: 'a mounted disk',
    refused: ['mounted'],
    make: () =>
      stick((device) => {
        ext4(device);
        mount(device);
      }),
  },
  {
    name: 'a disk mounted read-only',
    refused: ['mounted'],
    make: () =>
      stick((device) => {
        ext4(device);
        mount(device, '-o', 'ro');
      }),
  },
  {
    name: 'a disk of which only a folder is still mounted',
    refused: ['mounted'],
    make: () =>
      stick((device) => {
        ext4(device);
        const whole = tempFolder();
        run('mount', device, whole);
        mkdirSync(join(whole, 'part'));
        mount(join(whole, 'part'), '--bind');
        run('umount', whole);
      }),
  },
  {
    name: 'a disk of which a partition is mounted',
    refused: ['mounted', 'loop'],
    make: () =>
      stick((_, image) => {
        run('sgdisk', '-n', '1:2048:0', image);
        const partition = attachAgain(image, ['-o', '1048576']);
        ext4(partition);
        mount(partition);
      }),
  },
  {
    name: 'a disk that holds the ISO to be written',
    refused: ['mounted'],
    make: () =>
      stick((device) => {
        ext4(device);
        const iso = join(mount(device), 'boot.iso');
        writeFileSync(iso, 'iso');
        return { want: { confirmed: [`${basename(device)}:${STICK_BYTES}`], sources: [iso] } };
      }),
  },
  {
    name: 'a disk that is swap',
    refused: ['swap'],
    make: () =>
      stick((device) => {
        run('mkswap', device);
        run('swapon', device);
        onTestFinished(() => run('swapoff', device));
      }),
  },
  {
    name: 'a disk with another loop device on top',
    refused: ['loop'],
    make: () =>
      stick((device) => {
        attachAgain(device);
      }),
  },
  {
    name: 'one of two loop devices of one file',
    refused: ['loop'],
    make: () =>
      stick((_, image) => {
        attachAgain(image);
      }),
  },
  {
    name: 'the loop device of the ISO itself',
    refused: ['source'],
    make: () => stick((device, image) => ({ want: { confirmed: [device], sources: [image] } })),
  },
  {
    name: 'a disk another program holds',
    refused: ['busy'],
    make: async () => {
      const found = stick(() => undefined);
      // The shell cannot open exclusively; this one mounts it where only it can see it.
      run('mkfs.ext4', '-q', '-F', found.path);
      const folder = tempFolder();
      const script = `mount ${found.path} ${folder} && echo up && exec sleep 60`;
      const child = spawn('unshare', ['-m', 'bash', '-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
      onTestFinished(async () => {
        child.kill();
        await once(child, 'exit');
      });
      await once(child.stdout, 'data');
      return found;
    },
  },
  { name: 'a file system, with --yes alone', refused: ['not-empty'], make: () => filled(() => NOT_TOLD) },
  {
    name: 'a file system, with --wipe alone',
    refused: ['not-empty'],
    make: () => filled(() => ({ ...NOT_TOLD, wipe: true })),
  },
  {
    name: 'a file system, confirmed but without --wipe',
    refused: ['not-empty'],
    make: () => filled((device) => ({ ...NOT_TOLD, confirmed: [`${basename(device)}:${STICK_BYTES}`] })),
  },
  {
    name: 'a file system, without --yes',
    refused: ['not-empty'],
    make: () => filled((device) => ({ yes: false, confirmed: [`${basename(device)}:${STICK_BYTES}`] })),
  },
  {
    name: 'a file system, confirmed as another',
    refused: ['wrong-confirmation'],
    make: () => filled(() => ({ confirmed: ['4C530001234567891011'] })),
  },
  {
    name: 'a file system, confirmed by its path alone',
    refused: ['wrong-confirmation'],
    make: () => filled((device) => ({ confirmed: [device] })),
  },
  {
    name: 'a cache disk as large as mkfs.xfs makes them',
    refused: ['not-empty'],
    make: () => ({
      path: makeLoopDevice(['mkfs.xfs', '-q', '-L', 'edgefab']),
      want: NOT_TOLD,
    }),
  },
  {
    name: 'a cache partition without a file system yet',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        run('sgdisk', '-n', '1:2048:0', '-c', '1:edgefab-node', device);
        return { want: NOT_TOLD };
      }),
  },
  {
    name: 'an empty partition table',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        run('sgdisk', '-o', device);
        return { want: NOT_TOLD };
      }),
  },
  {
    name: 'a boot stick',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        const folder = tempFolder();
        run('xorriso', '-as', 'mkisofs', '-V', 'LIVE', '-o', join(folder, 'a.iso'), folder);
        run('dd', `if=${join(folder, 'a.iso')}`, `of=${device}`, 'conv=fsync');
        return { want: NOT_TOLD };
      }),
  },
  {
    name: 'an encrypted disk',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        signatures.putLuks(device);
        return { want: NOT_TOLD };
      }),
  },
  {
    name: 'swap that is not in use',
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        run('mkswap', device);
        return { want: NOT_TOLD };
      }),
  },
  ...[0, STICK_BYTES / 2 - 100_000, STICK_BYTES - 512].map((near) => ({
    name: `bytes without a signature near ${near}`,
    refused: ['not-empty'],
    make: () =>
      stick((device) => {
        // In the middle a stretch as long as a step of the samples.
        if (near === 0 || near === STICK_BYTES - 512) signatures.putBytes(device, near);
        else for (let at = near; at < near + 500_000; at += 4096) signatures.putBytes(device, at);
        return { want: NOT_TOLD };
      }),
  })),
  ...(
    [
      ['LVM', signatures.putLvm],
      ['RAID', signatures.putRaid],
      ['ZFS', signatures.putZfs],
      ['VMFS', signatures.putVmfs],
      ['Ceph', signatures.putCeph],
    ] as const
  ).map(([pool, put]) => ({
    name: `a disk of a ${pool} pool`,
    refused: ['member'],
    make: () => stick((device) => put(device), 64 * 1024 * 1024),
  })),
  {
    name: 'a disk with a RAID partition',
    refused: ['member'],
    make: () =>
      stick((device, image) => {
        run('sgdisk', '-n', '1:2048:0', device);
        const partition = execFileSync('losetup', ['-f', '--show', '-o', '1048576', image], {
          encoding: 'utf8',
        });
        signatures.putRaid(partition.trim());
        run('losetup', '-d', partition.trim());
      }),
  },
  {
    name: 'a blank disk nobody confirmed',
    refused: ['not-confirmed'],
    make: () => stick(() => ({ want: { ...NOT_TOLD, yes: false } })),
  },
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

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

describe.skipIf(!ready)(
  `what must not be written to is refused, and not a byte of it changes${skipped}`,
  () => {
    test.each(ROWS)('$name: $refused', async ({ make, refused }) => {
      const { path, image, roots, want } = await make();
      if (image !== undefined) run('sync', image);
      const before = image === undefined ? '' : sha256(image);
      const options = roots === undefined ? {} : { roots };
      const whole = { ...ALL, ...want };
      const looked = await inspectDevice(path, realHost, options).catch((error: unknown) => error);
      if (looked instanceof Error) {
        expect(looked).toMatchObject({ code: refused[0], exitCode: 7 });
      } else {
        const device = looked as Awaited<ReturnType<typeof inspectDevice>>;
        const kinds = new Set(deviceDangers(device, whole).map(({ kind }) => kind));
        expect([...kinds]).toEqual(refused);
        expect(() => refuseDevice(device, whole)).toThrow(
          expect.objectContaining({ code: 'DEVICE_REFUSED', exitCode: 7, suggestions: expect.any(Array) }),
        );
      }
      if (image !== undefined) expect(sha256(image)).toBe(before);
    });

    test('there are at least 25 of them', () => {
      expect(ROWS.length).toBeGreaterThanOrEqual(25);
    });
  },
);

const BLANK: DeviceWant = { ...ALL, wipe: false };

describe.skipIf(!ready)(`what may be written to is not refused${skipped}`, () => {
  test('a blank disk, with --yes', async () => {
    const { path } = stick(() => undefined);
    const device = await inspectDevice(path, realHost);
    expect(device).toMatchObject({
      content: { kind: 'blank' },
      uses: [],
      kind: 'loop',
      sizeBytes: STICK_BYTES,
    });
    refuseDevice(device, BLANK);
  });

  test('a stick that was not finished, with --yes', async () => {
    const { path } = stick((device) => writeFileSync(device, unfinishedMark()));
    const device = await inspectDevice(path, realHost);
    expect(device.content).toEqual({ kind: 'unfinished' });
    refuseDevice(device, BLANK);
  });

  test('a disk with content, told so exactly', async () => {
    const { path, want } = filled(() => ({}));
    const device = await inspectDevice(path, realHost);
    expect(device.content).toMatchObject({ signatures: [{ type: 'ext4', label: 'photos' }] });
    const confirmed = [`${basename(path)}:${STICK_BYTES}`];
    refuseDevice(device, { ...ALL, ...want, confirmed });
    refuseDevice(device, { ...BLANK, content: 'kept', confirmed });
    expect(() => refuseDevice(device, { ...BLANK, content: 'kept' })).toThrow('photos');
  });

  test('one of twins, by the port it is plugged in', async () => {
    const serial = 'E:ID_SERIAL_SHORT=0123456789ABCDEF\nE:ID_MODEL=Flash_Disk\nE:ID_BUS=usb';
    const { path, roots } = asSda(
      (device) => ({
        sys: { 'sdb/dev': '8:16' },
        udev: { [disguise(device, 'x')['x/dev'] ?? '']: serial, '8:16': serial },
        links: { 'by-path/pci-0-usb-0:3': device, 'by-id/usb-Flash_Disk_0123456789ABCDEF': device },
      }),
      (made) => join(made.dev, 'disk/by-path/pci-0-usb-0:3'),
    );
    const device = await inspectDevice(path, realHost, { roots: roots ?? {} });
    expect(device).toMatchObject({
      name: 'sda',
      serial: '0123456789ABCDEF',
      model: 'Flash_Disk',
      transport: 'usb',
      twins: ['sdb'],
      byId: [expect.stringContaining('usb-Flash_Disk')],
    });
    const busy = { ...device, content: { kind: 'data', offset: 0 } } as const;
    expect(() => refuseDevice(busy, { ...ALL, confirmed: ['0123456789ABCDEF'] })).toThrow('by-path');
    refuseDevice(busy, { ...ALL, confirmed: [path] });
  });
});

describe.skipIf(!ready)(`a device is opened alone, and looked at again${skipped}`, () => {
  test('while it is open nobody can mount it or open it alone', async () => {
    const { device } = makeBlankLoop(STICK_BYTES);
    ext4(device);
    const looked = await inspectDevice(device, realHost);
    const { file, isDirect } = await openDevice(looked, { direct: true });
    expect(isDirect).toBe(true);
    try {
      expect(() => run('mount', device, tempFolder())).toThrow();
      expect((await inspectDevice(device, realHost)).uses).toEqual([
        { kind: 'busy', device: basename(device) },
      ]);
      await expect(openDevice(looked)).rejects.toMatchObject({ code: 'DEVICE_REFUSED' });
    } finally {
      await file.close();
    }
  });

  test('what was mounted in the meantime is refused', async () => {
    const { device } = makeBlankLoop(STICK_BYTES);
    ext4(device);
    const looked = await inspectDevice(device, realHost);
    mount(device);
    await expect(openDevice(looked)).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: expect.stringContaining('in use'),
    });
  });

  test.each([
    ['serial', { serial: 'A1' }],
    ['bytes', { sizeBytes: 4096 }],
    ['device number', { numbers: '8:0' }],
    ['file', { backingFile: '/other.img' }],
  ])('another %s than before is another device', async (what, before) => {
    const { device } = makeBlankLoop(STICK_BYTES);
    const looked = await inspectDevice(device, realHost);
    await expect(openDevice({ ...looked, ...before })).rejects.toMatchObject({
      code: 'DEVICE_REFUSED',
      message: expect.stringContaining(`its ${what} was`),
    });
    // It was closed again.
    await (await openDevice(looked)).file.close();
  });

  test('what is gone is told', async () => {
    const { device } = makeBlankLoop(STICK_BYTES);
    const looked = await inspectDevice(device, realHost);
    await expect(openDevice({ ...looked, realPath: '/dev/edgefab-gone' })).rejects.toMatchObject({
      code: 'DEVICE_UNKNOWN',
    });
  });

  test('all devices are told at once, by name', async () => {
    const [small, large] = [makeBlankLoop(STICK_BYTES), makeBlankLoop(2 * STICK_BYTES)];
    const targets = await Promise.all(
      [small, large].map(async ({ device }) => ({
        device: await inspectDevice(device, realHost),
        want: { ...BLANK, neededBytes: STICK_BYTES + 1 },
      })),
    );
    expect(() => refuseDevices(targets)).toThrow(
      expect.objectContaining({
        message: expect.stringMatching(/1 short\nnothing was written, to the other 1 neither$/),
        faults: [expect.objectContaining({ place: { file: small.device, field: 'too-small' } })],
      }),
    );
  });
});
