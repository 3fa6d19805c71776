import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { readTable } from '../../../src/disk/partition/partition-table.ts';
import { type GptReading, readGpt } from '../../../src/formats/gpt.ts';
import { runEdgefab, runEdgefabJson } from '../../support/run-edgefab.ts';
import { canMount } from '../../support/small-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';
import { makeWholeDisk, type WholeDisk } from '../../support/whole-disk.ts';

const MiB = 1024 ** 2;
const TOOLS = ['sgdisk', 'losetup', 'mkfs.xfs', 'partx', 'blkid', 'wipefs'];
const ready = canMount && haveTools(...TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs root, a loop device and ${TOOLS.join(', ')})`;
const KILLS = 24;

function partition(disk: WholeDisk, change: readonly string[]): Buffer {
  execFileSync('sgdisk', [...change, disk.device], { stdio: 'ignore' });
  execFileSync('blockdev', ['--flushbufs', disk.device]);
  return readFileSync(disk.image);
}

async function readBytes(bytes: Buffer, sectorBytes: number): Promise<GptReading> {
  return await readGpt(async (offset, length) => bytes.subarray(offset, offset + length), {
    sizeBytes: bytes.length,
    sectorBytes,
  });
}

async function tableOf({ device, sizeBytes, sectorBytes }: WholeDisk): Promise<GptReading> {
  return await readTable({ path: device, realPath: device, sizeBytes, logicalSectorBytes: sectorBytes });
}

/** The order sgdisk writes in, as strace shows it: backup entries and header, primary entries and header, boot record. */
function writesOf(sizeBytes: number, sector: number): readonly (readonly [number, number])[] {
  const entries = 128 * 128;
  return [
    [sizeBytes - sector - entries, entries],
    [sizeBytes - sector, sector],
    [2 * sector, entries],
    [sector, sector],
    [0, sector],
  ];
}

describe.skipIf(!ready)(`a run that is killed${skipped}`, () => {
  test.each([512, 4096] as const)(
    'at every sector sgdisk writes (of %i bytes), one whole table is there: the old or the new one',
    async (sectorBytes) => {
      const disk = makeWholeDisk(16 * MiB, sectorBytes);
      const first = String(MiB / sectorBytes);
      const old = partition(disk, ['-n', `1:${first}:+4M`, '-c', '1:photos', '-n', '2:0:0']);
      const made = partition(disk, ['-g', '-o', '-a', '1', '-n', `5:${first}:+8M`, '-c', '5:edgefab']);
      const names = async (bytes: Buffer) =>
        (await readBytes(bytes, sectorBytes)).table?.partitions.map(({ name }) => name).join();
      const [before, after] = [await names(old), await names(made)];
      expect([before, after]).toEqual(['photos,', 'edgefab']);

      const bytes = Buffer.from(old);
      const seen: (string | undefined)[] = [];
      for (const [offset, length] of writesOf(bytes.length, sectorBytes)) {
        for (let at = offset; at < offset + length; at += sectorBytes) {
          made.copy(bytes, at, at, at + sectorBytes);
          const reading = await readBytes(bytes, sectorBytes);
          seen.push(await names(bytes));
          // Nobody is told that all is well while the copies differ.
          expect(reading.faults.length > 0 || bytes.equals(made)).toBe(true);
        }
      }
      expect(bytes.equals(made)).toBe(true);
      expect(seen.every((name) => name === before || name === after)).toBe(true);
      expect([seen[0], seen.at(-1)]).toEqual([before, after]);
    },
  );

  test(`at ${KILLS} random moments: a whole table each time, and the same command ends it`, async () => {
    const disk = makeWholeDisk(400 * MiB, 512);
    partition(disk, ['-n', '1:2048:40000', '-c', '1:photos']);
    const confirm = `${basename(disk.device)}:${disk.sizeBytes}`;
    const command = ['partition', disk.device, '--label', 'ef-kill', '--yes', '--wipe', '--confirm', confirm];
    const cwd = tempFolder();
    let seed = 7;
    for (let kill = 0; kill < KILLS; kill += 1) {
      const before = (await tableOf(disk)).table;
      const child = spawn(process.execPath, [`${process.cwd()}/bin/edgefab.js`, ...command], {
        cwd,
        detached: true,
        stdio: 'ignore',
      });
      const ended = once(child, 'exit');
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      await Promise.race([ended, delay(300 + (seed / 2 ** 32) * 2000)]);
      // With sgdisk or mkfs.xfs, if one is running.
      if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
      await ended;
      const { table } = await tableOf(disk);
      const names = table?.partitions.map(({ number, name }) => `${number} ${name}`);
      if (JSON.stringify(table) !== JSON.stringify(before)) expect(names).toEqual(['1 ef-kill']);
    }
    const last = await runEdgefab(command, { cwd });
    expect([last.status, last.stderr]).toEqual([0, '']);
    expect((await tableOf(disk)).faults).toEqual([]);
    expect(execFileSync('sgdisk', ['-v', disk.device], { encoding: 'utf8' })).toContain('No problems found');
    // Whatever was written over, its table was saved before.
    expect(readdirSync(cwd).length).toBeGreaterThan(0);
    const again = await runEdgefabJson(['partition', disk.device, '--label', 'ef-kill', '--yes'], { cwd });
    expect([again.status, again.document]).toMatchObject([0, { plan: { action: 'none' } }]);
  }, 180_000);
});
