import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { planCards } from '../../../src/factory/rehearse/network-cards.ts';
import { startMachine } from '../../../src/factory/rehearse/virtual-machine.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const hasQemu = haveTools('qemu-system-x86_64');
const why = hasQemu ? '' : ' (SKIPPED: needs qemu-system-x86_64)';
const END_MS = 60_000;

/** Boot sectors: what a BIOS starts, in machine code. */
const SECTORS = {
  // mov al, 0xfe; out 0x64, al: the keyboard controller resets the processor.
  restart: [0xb0, 0xfe, 0xe6, 0x64, 0xf4],
  // mov dx, 0x604; mov ax, 0x2000; out dx, ax: ACPI's soft off on this board.
  off: [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xf4],
} as const;

describe.skipIf(!hasQemu)(`a machine that ends by itself${why}`, () => {
  test.each(['restart', 'off'] as const)(
    '%s',
    async (what) => {
      const folder = tempFolder();
      const sector = Buffer.alloc(1024 * 1024);
      sector.set(SECTORS[what]);
      sector.set([0x55, 0xaa], 510);
      const path = join(folder, 'disk.img');
      writeFileSync(path, sector);
      await using machine = startMachine(
        {
          name: what,
          memoryMiB: 64,
          processors: 1,
          accelerator: 'tcg',
          stick: undefined,
          cacheDisk: undefined,
          startsFrom: 'target',
          target: { path, bus: 'virtio', format: 'raw' },
          clock: undefined,
          ...planCards(undefined),
          uefi: undefined,
          logFolder: folder,
          socketFolder: folder,
        },
        realHost,
      );
      for (let waitedMs = 0; machine.result() === undefined && waitedMs < END_MS; waitedMs += 100)
        await realHost.sleep(100);
      expect(machine.result()).toMatchObject({ exitCode: 0, stderr: '' });
      expect(machine.end()).toBe(what);
    },
    END_MS,
  );
});
