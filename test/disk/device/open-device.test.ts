import { basename } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inspectDevice } from '../../../src/disk/device/inspect-device.ts';
import { openDevice } from '../../../src/disk/device/open-device.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { makeBlankLoop } from '../../support/blank-loop.ts';
import { ext4, mount, ready, run, STICK_BYTES, skipped } from '../../support/danger-rows.ts';
import { tempFolder } from '../../support/temp-folder.ts';

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
});
