import { execFileSync } from 'node:child_process';
import { mkdirSync, renameSync, symlinkSync } from 'node:fs';
import { basename, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { confirmationOf, describeContent, describeDevice } from '../../../src/disk/device/describe-device.ts';
import { inspectDevice } from '../../../src/disk/device/inspect-device.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { attachAgain, makeBlankLoop } from '../../support/blank-loop.ts';
import { ready, run, STICK_BYTES, skipped, stick } from '../../support/danger-rows.ts';
import { disguise, fakeMachine } from '../../support/fake-machine.ts';

const MIB = 1024 * 1024;

describe.skipIf(!ready)(`a device is looked at${skipped}`, () => {
  test('sectors of 4 KiB', async () => {
    const { device } = makeBlankLoop(STICK_BYTES, ['-b', '4096']);
    expect(await inspectDevice(device, realHost)).toMatchObject({
      logicalSectorBytes: 4096,
      physicalSectorBytes: 4096,
      sizeBytes: STICK_BYTES,
    });
  });

  test('partitions and what is in them are read from the device itself', async () => {
    const { device, image } = makeBlankLoop(STICK_BYTES);
    run('sgdisk', '-n', '1:2048:+8M', '-c', '1:a "b" $c', '-n', '2:0:0', '-c', '2:edgefab-node', device);
    const partition = execFileSync(
      'losetup',
      ['-f', '--show', '-o', `${MIB}`, '--sizelimit', `${8 * MIB}`, image],
      {
        encoding: 'utf8',
      },
    ).trim();
    run('mkfs.ext4', '-q', '-L', 'x y', partition);
    run('losetup', '-d', partition);
    const { content } = await inspectDevice(device, realHost);
    expect(content).toMatchObject({
      kind: 'signatures',
      partitions: [
        { number: 1, offset: MIB, sizeBytes: expect.any(Number), name: 'a "b" $c' },
        { number: 2, name: 'edgefab-node' },
      ],
      cache: 'partition 2',
    });
    expect(describeContent(content)).toBe(
      'an edgefab cache on partition 2, gpt, PMBR, ext4 "x y" in partition 1, 2 partitions',
    );
  });

  test('a table whose partitions lie beyond the end of the device', async () => {
    const large = makeBlankLoop(4 * STICK_BYTES);
    run('sgdisk', '-n', '1:2048:4096', '-n', '2:150000:0', large.device);
    const { device } = { device: attachAgain(large.image, ['--sizelimit', String(STICK_BYTES)]) };
    const { content } = await inspectDevice(device, realHost);
    expect(content).toMatchObject({ kind: 'signatures' });
    if (content.kind !== 'signatures') return;
    for (const { offset, sizeBytes } of content.partitions)
      expect(offset + sizeBytes).toBeLessThanOrEqual(STICK_BYTES);
  });

  test('what udev knows, and the names it made, the telling ones first', async () => {
    const { path } = stick(() => undefined);
    const numbers = disguise(path, 'x')['x/dev'] ?? '';
    const roots = fakeMachine({
      sys: { ...disguise(path, 'sda'), 'sda/removable': '1' },
      udev: { [numbers]: 'S:disk/by-id/x\nE:ID_SERIAL_SHORT=A1 \nE:ID_MODEL=Ultra\u001b[31m\nE:ID_BUS=usb' },
      links: {
        'by-id/wwn-0x5000': path,
        'by-id/usb-Ultra_A1-0:0': path,
        'by-id/usb-Other-0:0': '/dev/null',
        'by-path/pci-0:1': path,
      },
    });
    const device = await inspectDevice(path, realHost, { roots });
    expect(device).toMatchObject({
      kind: 'disk',
      serial: 'A1',
      transport: 'usb',
      removable: true,
      twins: [],
      byId: [expect.stringMatching(/usb-Ultra_A1-0:0$/), expect.stringMatching(/wwn-0x5000$/)],
      byPath: [expect.stringMatching(/pci-0:1$/)],
    });
    expect(confirmationOf(device)).toEqual({ text: 'A1', what: 'serial' });
    // What a stick calls itself cannot paint the terminal.
    expect(describeDevice(device)).toContain('usb-Ultra_A1-0:0), model Ultra\\u001b[31m, serial A1, ');
    const { serial: _, ...nameless } = device;
    expect(confirmationOf(nameless)).toMatchObject({ what: 'by-id name' });
    expect(confirmationOf({ ...nameless, byId: [] })).toMatchObject({ what: 'by-path name' });
    expect(confirmationOf({ ...nameless, byId: [], byPath: [] })).toEqual({
      text: `sda:${STICK_BYTES}`,
      what: 'kernel name and size',
    });
  });

  test('without udev, the USB device that the disk hangs on tells', async () => {
    const { path } = stick(() => undefined);
    const roots = fakeMachine({
      sys: {
        ...disguise(path, 'sda'),
        'usb/idVendor': '0781',
        'usb/serial': 'A7',
        'usb/host/target/x/model': 'Ultra',
      },
    });
    const block = join(roots.sys, 'class/block');
    mkdirSync(join(roots.sys, 'devices'));
    renameSync(join(block, 'usb'), join(roots.sys, 'devices/usb'));
    symlinkSync(join(roots.sys, 'devices/usb/host/target/x'), join(block, 'sda/device'));
    expect(await inspectDevice(path, realHost, { roots })).toMatchObject({
      serial: 'A7',
      model: 'Ultra',
      transport: 'usb',
    });
  });

  test('a loop device by its file', async () => {
    const { device, image } = makeBlankLoop(STICK_BYTES);
    expect(await inspectDevice(device, realHost)).toMatchObject({
      kind: 'loop',
      name: basename(device),
      backingFile: image,
      readOnly: false,
    });
  });
});
