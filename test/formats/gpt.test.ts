import { execFileSync } from 'node:child_process';
import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { type GptReading, readGpt } from '../../src/formats/gpt.ts';
import { GPT_HEADER } from '../../src/formats/gpt-layout.ts';
import { canMount } from '../support/small-disk.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { haveTools } from '../support/tools.ts';
import { makeWholeDisk } from '../support/whole-disk.ts';

const MiB = 1024 * 1024;
const LINUX = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
const EFI = 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B';

const haveSgdisk = haveTools('sgdisk');
const haveSfdisk = haveTools('sfdisk') && canMount;
const haveLoop = haveSgdisk && canMount;

/** Reads a table out of bytes, and notes any read beyond them. */
async function readBytes(bytes: Buffer, sectorBytes: number): Promise<GptReading> {
  return await readGpt(
    async (offset, length) => {
      const inside = Number.isSafeInteger(offset) && offset >= 0 && offset <= bytes.length;
      if (!inside || !(length >= 0 && length <= MiB)) throw new Error(`read of ${length} bytes at ${offset}`);
      return bytes.subarray(offset, offset + length);
    },
    { sizeBytes: bytes.length, sectorBytes },
  );
}

function diskFile(sizeBytes: number, ...commands: readonly (readonly string[])[]): string {
  const image = join(tempFolder(), 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, sizeBytes);
  for (const args of commands) execFileSync('sgdisk', [...args, image], { stdio: 'ignore' });
  return image;
}

let made: Buffer | undefined;

/** A table of sgdisk's on sectors of 512 bytes; made once, since sgdisk takes a second to flush. */
function sgdiskBytes(): Buffer {
  made ??= readFileSync(
    diskFile(16 * MiB, ['-n', '1:2048:4095', '-c', '1:edgefab', '-n', '5:-4MiB:0', '-c', '5:edgefab-node']),
  );
  return Buffer.from(made);
}

/** Puts the right checksums on headers somebody changed, so that what is behind them is looked at. */
function reseal(bytes: Buffer, sectorBytes: number): void {
  const last = bytes.length / sectorBytes - 1;
  for (const lba of [1, last]) {
    const header = bytes.subarray(lba * sectorBytes, (lba + 1) * sectorBytes);
    const at = Number(header.readBigUInt64LE(GPT_HEADER.entriesLba)) * sectorBytes;
    const length = header.readUInt32LE(GPT_HEADER.entryCount) * header.readUInt32LE(GPT_HEADER.entryBytes);
    if (Number.isSafeInteger(at) && at + length <= bytes.length) {
      header.writeUInt32LE(crc32(bytes.subarray(at, at + length)), GPT_HEADER.entriesCrc);
    }
    const headerBytes = Math.min(header.readUInt32LE(GPT_HEADER.headerBytes), header.length);
    header.writeUInt32LE(0, GPT_HEADER.headerCrc);
    header.writeUInt32LE(crc32(header.subarray(0, headerBytes)), GPT_HEADER.headerCrc);
  }
}

test.each([
  ['nothing', 0],
  ['one byte', 1],
  ['one sector', 512],
  ['zeros', MiB],
])('a disk of %s has no table, and no fault', async (_, size) => {
  expect(await readBytes(Buffer.alloc(size), 512)).toMatchObject({
    bootRecord: 'none',
    primary: { state: 'absent' },
    backup: { state: 'absent' },
    table: undefined,
    faults: [],
  });
});

describe.skipIf(!haveSgdisk)(`tables of sgdisk${haveSgdisk ? '' : ' (SKIPPED: sgdisk is absent)'}`, () => {
  test('both copies are read, field by field', async () => {
    const image = diskFile(16 * MiB, [
      ...['-U', '11111111-2222-3333-4444-555566667777'],
      ...['-n', '1:2048:4095', '-c', '1:edgefab', '-t', '1:ef00', '-A', '1:set:2'],
      ...['-u', '1:01234567-89AB-CDEF-0123-456789ABCDEF'],
      ...['-n', '128:24576:0', '-c', '128:Größe ✓'],
    ]);
    const reading = await readBytes(readFileSync(image), 512);
    expect(reading).toMatchObject({
      bootRecord: 'protective',
      faults: [],
      primary: { state: 'sound' },
      backup: { state: 'sound' },
      table: {
        diskGuid: '11111111-2222-3333-4444-555566667777',
        firstUsableLba: 34,
        lastUsableLba: 32734,
        entryCount: 128,
        entryBytes: 128,
        entriesLba: 2,
        alternateLba: 32767,
        partitions: [
          {
            number: 1,
            type: EFI,
            guid: '01234567-89AB-CDEF-0123-456789ABCDEF',
            firstLba: 2048,
            lastLba: 4095,
            attributes: '0000000000000004',
            name: 'edgefab',
          },
          { number: 128, type: LINUX, firstLba: 24576, lastLba: expect.any(Number), name: 'Größe ✓' },
        ],
      },
    });
  });

  type Row = readonly [
    string,
    (bytes: Buffer) => Buffer | undefined,
    readonly (string | RegExp)[],
    'sound' | 'none',
  ];
  const rows: readonly Row[] = [
    [
      'the primary header is changed',
      (b) => void b.writeUInt8(1, 512 + 60),
      [/primary table is bad: the checksum of its header .*; the backup is good/],
      'sound',
    ],
    [
      'the primary entries are changed',
      (b) => void b.writeUInt8(1, 1024 + 200),
      [/primary table is bad: the checksum of its entries/],
      'sound',
    ],
    [
      'the backup header is changed',
      (b) => void b.writeUInt8(1, b.length - 512 + 60),
      [/backup table is bad: the checksum of its header .*; the primary is good/],
      'sound',
    ],
    [
      'the backup entries are changed',
      (b) => void b.writeUInt8(1, b.length - 33 * 512 + 3),
      [/backup table is bad: the checksum of its entries/],
      'sound',
    ],
    [
      'the first MiB is zero',
      (b) => void b.fill(0, 0, MiB),
      [/primary table is bad: there is none; the backup is good/, /no protective boot record/],
      'sound',
    ],
    [
      'the last MiB is zero',
      (b) => void b.fill(0, b.length - MiB),
      [/backup table is bad: there is none; the primary is good/],
      'sound',
    ],
    [
      'both headers are changed',
      (b) => {
        b.writeUInt8(1, 512 + 60);
        b.writeUInt8(1, b.length - 512 + 60);
      },
      [/primary table is bad: the checksum of its header is \w{8}, want \w{8}$/, /backup table is bad/],
      'none',
    ],
    [
      'both headers are gone',
      (b) => {
        b.fill(0, 512, 1024);
        b.fill(0, b.length - 512);
      },
      [/boot record says there is a GPT, and neither copy/],
      'none',
    ],
    ['the boot record is gone', (b) => void b.fill(0, 0, 512), [/no protective boot record/], 'sound'],
    [
      'the boot record has a partition too',
      (b) => void b.writeUInt8(0x83, 446 + 16 + 4),
      [/has partitions of its own/],
      'sound',
    ],
    [
      'the protective partition begins elsewhere',
      (b) => void b.writeUInt32LE(2, 446 + 8),
      [/no protective boot record/],
      'sound',
    ],
    [
      'the disk grew',
      (b) => Buffer.concat([b, Buffer.alloc(4 * MiB)]),
      [/belongs in the last sector, 40959, and is said to be in 32767/],
      'sound',
    ],
    [
      'the disk was cut short',
      (b) => b.subarray(0, 12 * MiB),
      [
        /primary table is bad: its lastUsableLba is sector 32734, the disk has 24576/,
        /backup table is bad: there is none/,
      ],
      'none',
    ],
    [
      'only the primary was changed',
      (b) => {
        b.writeUInt16LE(0x58, 1024 + 56);
        const backup = Buffer.from(b.subarray(b.length - 512));
        const entries = Buffer.from(b.subarray(b.length - 33 * 512, b.length - 512));
        reseal(b, 512);
        backup.copy(b, b.length - 512);
        entries.copy(b, b.length - 33 * 512);
      },
      [/primary and the backup table differ/],
      'sound',
    ],
  ];
  test.each(rows)('%s: said so', async (_, change, faults, table) => {
    const bytes = sgdiskBytes();
    const reading = await readBytes(change(bytes) ?? bytes, 512);
    expect(reading.faults).toEqual(faults.map((fault) => expect.stringMatching(fault)));
    expect(reading.table === undefined ? 'none' : 'sound').toBe(table);
    if (reading.table !== undefined)
      expect(reading.table.partitions.map((one) => one.number)).toEqual([1, 5]);
  });

  const hostile: readonly (readonly [string, (header: Buffer, entries: Buffer) => void, RegExp])[] = [
    [
      'header size 0',
      (h) => void h.writeUInt32LE(0, GPT_HEADER.headerBytes),
      /header says it has 0 bytes, want 92 to 512/,
    ],
    [
      'header size 4 GiB',
      (h) => void h.writeUInt32LE(0xffffffff, GPT_HEADER.headerBytes),
      /header says it has 4294967295 bytes/,
    ],
    ['revision 2', (h) => void h.writeUInt32LE(0x20000, GPT_HEADER.revision), /revision 0x20000/],
    ['another place', (h) => void h.writeBigUInt64LE(7n, GPT_HEADER.myLba), /says it is in sector 7/],
    ['usable sectors backwards', (h) => void h.writeBigUInt64LE(33n, GPT_HEADER.lastUsableLba), /backwards/],
    [
      'usable sectors beyond the disk',
      (h) => void h.writeBigUInt64LE(2n ** 64n - 1n, GPT_HEADER.lastUsableLba),
      /lastUsableLba is sector 18446744073709551615/,
    ],
    [
      'a backup no number can tell',
      (h) => void h.writeBigUInt64LE(2n ** 63n, GPT_HEADER.alternateLba),
      /alternateLba is sector 9223372036854775808/,
    ],
    [
      'entries beyond the disk',
      (h) => void h.writeBigUInt64LE(2n ** 40n, GPT_HEADER.entriesLba),
      /entriesLba is sector/,
    ],
    [
      'entries in sector 0',
      (h) => void h.writeBigUInt64LE(0n, GPT_HEADER.entriesLba),
      /not outside the usable/,
    ],
    [
      'entries among the partitions',
      (h) => void h.writeBigUInt64LE(4096n, GPT_HEADER.entriesLba),
      /not outside the usable/,
    ],
    ['entries of 0 bytes', (h) => void h.writeUInt32LE(0, GPT_HEADER.entryBytes), /entries have 0 bytes/],
    ['entries of 200 bytes', (h) => void h.writeUInt32LE(200, GPT_HEADER.entryBytes), /multiple of 128/],
    [
      'four billion entries',
      (h) => void h.writeUInt32LE(0xffffffff, GPT_HEADER.entryCount),
      /4294967295 entries/,
    ],
    ['no entries', (h) => void h.writeUInt32LE(0, GPT_HEADER.entryCount), /0 entries/],
    [
      'a partition that ends before it begins',
      (_, e) => void e.writeBigUInt64LE(100n, 40),
      /partition 1 is sectors 2048 to 100/,
    ],
    [
      'a partition beyond the disk',
      (_, e) => void e.writeBigUInt64LE(2n ** 64n - 1n, 40),
      /partition 1 is sectors 2048 to 18446744073709551615/,
    ],
    ['a partition over the table', (_, e) => void e.writeBigUInt64LE(1n, 32), /partition 1 is sectors 1 to/],
    [
      'partitions over each other',
      (_, e) => void e.writeBigUInt64LE(30000n, 40),
      /partitions 1 and 5 overlap at sector/,
    ],
  ];
  test.each(hostile)('%s, with right checksums: broken, and why', async (_, change, problem) => {
    const bytes = sgdiskBytes();
    change(bytes.subarray(512, 1024), bytes.subarray(1024, 1024 + 128 * 128));
    reseal(bytes, 512);
    const { primary, backup, table } = await readBytes(bytes, 512);
    expect(primary).toEqual({ state: 'broken', problem: expect.stringMatching(problem) });
    expect(backup.state).toBe('sound');
    expect(table?.partitions).toHaveLength(2);
  });

  test('entries of 256 bytes are read, and said to be nothing for Linux', async () => {
    const bytes = sgdiskBytes();
    const entry = Buffer.from(bytes.subarray(1024 + 4 * 128, 1024 + 5 * 128));
    bytes.fill(0, 1024 + 128, 1024 + 128 * 128);
    // The fifth entry now stands after four of 256 bytes.
    entry.copy(bytes, 1024 + 4 * 256);
    bytes.writeUInt32LE(64, 512 + GPT_HEADER.entryCount);
    bytes.writeUInt32LE(256, 512 + GPT_HEADER.entryBytes);
    reseal(bytes, 512);
    const { table, faults } = await readBytes(bytes, 512);
    expect(table?.partitions.map(({ number, name }) => [number, name])).toEqual([
      [1, 'edgefab'],
      [5, 'edgefab-node'],
    ]);
    expect(faults).toContainEqual(expect.stringContaining('Linux reads only those of 128'));
  });

  test('5000 seeded mutations: nothing is read outside, nothing throws, what is sound is inside the disk', async () => {
    const original = readFileSync(
      diskFile(256 * 1024, ['-a', '1', '-n', '1:40:99', '-c', '1:edgefab', '-n', '5:100:400']),
    );
    let seed = 20261121;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    const places = [
      ...[446, 510, 511],
      ...Array.from({ length: 92 }, (_, at) => 512 + at),
      ...Array.from({ length: 92 }, (_, at) => original.length - 512 + at),
      ...Array.from({ length: 128 }, (_, at) => 1024 + at),
      ...Array.from({ length: 128 }, (_, at) => 1024 + 4 * 128 + at),
      ...Array.from({ length: 128 }, (_, at) => original.length - 33 * 512 + at),
    ];
    let sound = 0;
    for (let round = 0; round < 5000; round += 1) {
      const bytes = Buffer.from(original);
      for (let count = 1 + random(4); count > 0; count -= 1) {
        const at = places[random(places.length)] ?? 0;
        const values = [0, 1, 0x7f, 0x80, 0xff, random(256)];
        bytes.fill(values[random(values.length)] ?? 0, at, Math.min(at + 1 + random(8), bytes.length));
      }
      if (random(2) === 0) reseal(bytes, 512);
      const cut = random(8) === 0 ? bytes.subarray(0, random(bytes.length / 512) * 512) : bytes;
      const { table } = await readBytes(cut, 512);
      if (table === undefined) continue;
      sound += 1;
      for (const { firstLba, lastLba } of table.partitions) {
        if (!(firstLba > 1 && firstLba <= lastLba && lastLba < cut.length / 512))
          expect.fail(`round ${round}`);
      }
    }
    expect(sound).toBeGreaterThan(500);
  }, 120_000);
});

describe.skipIf(!haveLoop)(
  `4096-byte sectors${haveLoop ? '' : ' (SKIPPED: needs root, a loop device and sgdisk)'}`,
  () => {
    test('a table of sgdisk is read with its sector size, and with the other one explained', async () => {
      const { device, image } = makeWholeDisk(64 * MiB, 4096);
      execFileSync('sgdisk', ['-n', '1:256:0', '-c', '1:edgefab', device], { stdio: 'ignore' });
      execFileSync('blockdev', ['--flushbufs', device]);
      const bytes = readFileSync(image);
      expect(await readBytes(bytes, 4096)).toMatchObject({
        bootRecord: 'protective',
        faults: [],
        table: {
          firstUsableLba: 6,
          lastUsableLba: 16378,
          partitions: [{ number: 1, firstLba: 256, name: 'edgefab' }],
        },
      });
      const wrong = await readBytes(bytes, 512);
      expect(wrong.table).toBeUndefined();
      expect(wrong.faults).toContainEqual(
        expect.stringContaining('a table for sectors of 4096 bytes, and the disk shows sectors of 512'),
      );
    });
  },
);

describe.skipIf(!haveSfdisk)(
  `tables of sfdisk${haveSfdisk ? '' : ' (SKIPPED: needs root, a loop device and sfdisk)'}`,
  () => {
    test.each([512, 4096] as const)('on sectors of %i bytes', async (sectorBytes) => {
      const { device, image } = makeWholeDisk(64 * MiB, sectorBytes);
      execFileSync('sfdisk', ['--quiet', '--no-tell-kernel', '--no-reread', device], {
        input: 'label: gpt\nstart=1MiB, size=2MiB, type=L, name=edgefab\nstart=32MiB, type=U, name="a b"\n',
      });
      execFileSync('blockdev', ['--flushbufs', device]);
      expect(await readBytes(readFileSync(image), sectorBytes)).toMatchObject({
        bootRecord: 'protective',
        faults: [],
        primary: { state: 'sound' },
        backup: { state: 'sound' },
        table: {
          partitions: [
            {
              number: 1,
              type: LINUX,
              firstLba: MiB / sectorBytes,
              lastLba: (3 * MiB) / sectorBytes - 1,
              name: 'edgefab',
            },
            { number: 2, type: EFI, firstLba: (32 * MiB) / sectorBytes, name: 'a b' },
          ],
        },
      });
    });
  },
);
