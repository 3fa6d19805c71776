import { describe, expect, test } from 'vitest';
import { type GptReading, readGpt } from '../../../src/formats/gpt.ts';
import { expectWholeTables, partition } from '../../support/partition-kills.ts';
import { canPartition, MiB, partitionSkip } from '../../support/partitioned-disk.ts';
import { makeWholeDisk } from '../../support/whole-disk.ts';

async function readBytes(bytes: Buffer, sectorBytes: number): Promise<GptReading> {
  return await readGpt(async (offset, length) => bytes.subarray(offset, offset + length), {
    sizeBytes: bytes.length,
    sectorBytes,
  });
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

describe.skipIf(!canPartition)(`a run that is killed${partitionSkip}`, () => {
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

  test('at 6 random moments: a whole table each time, and the same command ends it', async () => {
    await expectWholeTables(6);
  }, 180_000);
});
