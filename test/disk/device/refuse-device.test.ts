import { writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DeviceWant } from '../../../src/disk/device/device-dangers.ts';
import { inspectDevice } from '../../../src/disk/device/inspect-device.ts';
import { refuseDevice, refuseDevices } from '../../../src/disk/device/refuse-device.ts';
import { unfinishedMark } from '../../../src/disk/device/unfinished-mark.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { makeBlankLoop } from '../../support/blank-loop.ts';
import { ALL, asSda, filled, ready, STICK_BYTES, skipped, stick } from '../../support/danger-rows.ts';
import { disguise } from '../../support/fake-machine.ts';

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
