import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type DeviceWant, deviceDangers } from '../../src/disk/device/device-dangers.ts';
import { inspectDevice } from '../../src/disk/device/inspect-device.ts';
import type { MachineRoots } from '../../src/disk/device/machine-roots.ts';
import { refuseDevice } from '../../src/disk/device/refuse-device.ts';
import { realHost } from '../../src/host/real-host.ts';
import { makeBlankLoop } from './blank-loop.ts';
import { disguise, type FakeMachine, fakeMachine } from './fake-machine.ts';
import { canMount } from './small-disk.ts';
import { tempFolder } from './temp-folder.ts';
import { haveTools } from './tools.ts';

const TOOLS = ['losetup', 'wipefs', 'blkid', 'partx', 'sgdisk', 'mkfs.ext4', 'mkfs.xfs', 'mkswap', 'xorriso'];
/** Whether such devices can be made here. */
export const ready = canMount && haveTools(...TOOLS);
/** Why not, for the title of what is skipped. */
export const skipped = ready ? '' : ` (SKIPPED: needs root, a loop device and ${TOOLS.join(', ')})`;
export const STICK_BYTES = 24 * 1024 * 1024;

/** Said of everything: what is refused all the same is refused for good. */
export const ALL: DeviceWant = {
  purpose: 'to write boot.iso',
  neededBytes: 4096,
  content: 'erased',
  yes: true,
  wipe: true,
  confirmed: [],
};

/** A device as a row made it. */
export interface FoundDevice {
  readonly path: string;
  /** What must stay as it is. */
  readonly image?: string;
  readonly roots?: MachineRoots;
  readonly want?: Partial<DeviceWant>;
}

/** A situation in which a device must not be touched. */
export interface DangerRow {
  readonly name: string;
  /** What it is refused for; a code where it cannot even be looked at. */
  readonly refused: readonly string[];
  make(): FoundDevice | Promise<FoundDevice>;
}

/** Runs a program, silently. */
export function run(program: string, ...args: readonly string[]): void {
  execFileSync(program, args, { stdio: 'ignore' });
}

/** What a row may add to a stick. */
// biome-ignore lint/suspicious/noConfusingVoidType: most rows only do something to the stick.
type Added = Partial<FoundDevice> | void;

/** A stick of zeros, then something done to it. The right words are said: yes, wipe, and its confirmation. */
export function stick(work: (device: string, image: string) => Added, bytes = STICK_BYTES): FoundDevice {
  const { device, image } = makeBlankLoop(bytes);
  const confirmed = [`${basename(device)}:${bytes}`];
  const { want, ...rest } = work(device, image) ?? {};
  return { path: device, image, want: { confirmed, ...want }, ...rest };
}

/** Mounts a device until the test is over; returns where. */
export function mount(device: string, ...options: readonly string[]): string {
  const folder = tempFolder();
  run('mount', ...options, device, folder);
  onTestFinished(() => run('umount', folder));
  return folder;
}

/** Makes an ext4 file system. */
export function ext4(device: string, ...options: readonly string[]): void {
  run('mkfs.ext4', '-q', '-F', ...options, device);
}

/** A stick that the machine shows as the disk `sda`, with other things around it. */
export function asSda(
  around: (device: string) => FakeMachine,
  path?: (roots: MachineRoots) => string,
): FoundDevice {
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

/** What is said in a script that means a blank stick. */
export const NOT_TOLD = { yes: true, wipe: false, confirmed: [] };
/** A stick with an ext4 file system called `photos`, and what is said of it. */
export const filled = (want: (device: string) => Partial<DeviceWant>): FoundDevice =>
  stick((device) => {
    ext4(device, '-L', 'photos');
    return { want: want(device) };
  });

const sha256 = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

/** Tests that in each situation the device is refused, for just that, and keeps every byte. */
export function testDangers(what: string, rows: readonly DangerRow[]): void {
  describe.skipIf(!ready)(`${what}: refused, and not a byte of it changes${skipped}`, () => {
    test.each(rows)('$name: $refused', async ({ make, refused }) => {
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
  });
}
