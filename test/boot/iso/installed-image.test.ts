import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { readInstalledImages } from '../../../src/boot/iso/installed-image.ts';
import { encodeCpio } from '../../../src/formats/cpio.ts';
import { encodeIso9660 } from '../../../src/formats/iso9660-writer.ts';
import { decodeOsmet } from '../../../src/formats/osmet.ts';
import { coreosInstaller, coreosInstallerSkip, hasCoreosInstaller } from '../../support/coreos-installer.ts';
import { canMount } from '../../support/small-disk.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';
import { makeWholeDisk } from '../../support/whole-disk.ts';

const FILE_MODE = 0o100644;

/** Writes a number as bincode does with its variable-length integers. */
function number(value: number): Buffer {
  if (value < 251) return Buffer.of(value);
  const bytes = Buffer.alloc(9);
  bytes.writeBigUInt64LE(BigInt(value), 1);
  if (value < 2 ** 16) return Buffer.concat([Buffer.of(251), bytes.subarray(1, 3)]);
  if (value < 2 ** 32) return Buffer.concat([Buffer.of(252), bytes.subarray(1, 5)]);
  bytes[0] = 253;
  return bytes;
}

function text(value: string): Buffer {
  return Buffer.concat([number(value.length), Buffer.from(value)]);
}

interface MadeOsmet {
  readonly sizeBytes: number;
  readonly digest?: Buffer;
  readonly mappings?: readonly { readonly at: number; readonly length: number; readonly object: Buffer }[];
}

/** Makes the start of an osmet file, as coreos-installer packs it: one partition over the whole image. */
function osmet({ sizeBytes, digest = Buffer.alloc(32), mappings = [] }: MadeOsmet): Buffer {
  return Buffer.concat([
    Buffer.from('OSMET\0\0\0'),
    ...[number(1), text('0.26.0'), number(512), text('Red Hat Enterprise Linux CoreOS 418'), text('x86_64')],
    ...[number(1), number(0), number(sizeBytes), number(mappings.length)],
    ...mappings.map(({ at, length, object }) =>
      Buffer.concat([number(0), number(at), number(length), object]),
    ),
    digest,
    number(sizeBytes),
  ]);
}

function isoOf(members: readonly { readonly name: string; readonly bytes: Uint8Array }[]): string {
  const path = join(tempFolder(), 'live.iso');
  const rootfs = encodeCpio(members.map((member) => ({ ...member, mode: FILE_MODE })));
  const files = [{ path: 'images/pxeboot/rootfs.img', bytes: rootfs }];
  writeFileSync(path, encodeIso9660({ volumeId: 'made-up', files }).bytes);
  return path;
}

test.each([
  ['200 bytes', 200],
  ['64 KiB less one', 65535],
  ['1 MiB', 2 ** 20],
  ['5 GiB', 5 * 2 ** 30],
])('the size of an image is read: %s', (_, sizeBytes) => {
  expect(decodeOsmet(osmet({ sizeBytes }))).toEqual({
    sectorBytes: 512,
    description: 'Red Hat Enterprise Linux CoreOS 418',
    architecture: 'x86_64',
    sizeBytes,
  });
});

test('every cut of an osmet file, and every changed byte, is none or a summary', () => {
  const object = Buffer.alloc(32, 7);
  const whole = osmet({
    sizeBytes: 2 ** 33,
    mappings: [
      { at: 4096, length: 300, object },
      { at: 8192, length: 70000, object },
    ],
  });
  for (let length = 0; length < whole.length; length += 1)
    expect(decodeOsmet(whole.subarray(0, length))).toBeUndefined();
  for (let at = 0; at < whole.length; at += 1) {
    for (const value of [0, 250, 251, 253, 255]) {
      const bytes = Buffer.from(whole);
      bytes[at] = value;
      const { sizeBytes = 0 } = decodeOsmet(bytes) ?? {};
      expect(Number.isSafeInteger(sizeBytes)).toBe(true);
    }
  }
});

test('the osmet files of an ISO are found behind its root file system', async () => {
  const iso = isoOf([
    { name: 'root.squashfs', bytes: Buffer.alloc(123_457, 1) },
    { name: 'etc/coreos-live-rootfs', bytes: Buffer.from('418\n') },
    {
      name: 'rhcos-418-metal.x86_64.raw.osmet',
      bytes: Buffer.concat([osmet({ sizeBytes: 4 * 2 ** 30 }), Buffer.alloc(1000, 9)]),
    },
    { name: 'broken.osmet', bytes: Buffer.from('OSMET') },
  ]);
  expect(await readInstalledImages(iso)).toMatchObject([{ sizeBytes: 4 * 2 ** 30, sectorBytes: 512 }]);
});

test.each([
  ['no root file system', [{ path: 'coreos/igninfo.json', bytes: Buffer.from('{}') }]],
  ['an empty one', [{ path: 'images/pxeboot/rootfs.img', bytes: Buffer.alloc(0) }]],
  ['one that is no archive', [{ path: 'images/pxeboot/rootfs.img', bytes: Buffer.alloc(5000, 0x30) }]],
  [
    'an archive that says it is larger than it is',
    [
      {
        path: 'images/pxeboot/rootfs.img',
        bytes: encodeCpio([{ name: 'a', mode: FILE_MODE, bytes: Buffer.alloc(10) }]).map((byte, at) =>
          at >= 54 && at < 62 ? 0x66 : byte,
        ),
      },
    ],
  ],
])('an ISO with %s tells nothing', async (_, files) => {
  const path = join(tempFolder(), 'live.iso');
  writeFileSync(path, encodeIso9660({ volumeId: 'made-up', files }).bytes);
  expect(await readInstalledImages(path)).toEqual([]);
});

const ready = hasCoreosInstaller && haveTools('xz') && canMount;
const skipped = ready ? '' : coreosInstallerSkip || ' (SKIPPED: needs root, a loop device and xz)';

describe.skipIf(!ready)(`the judge${skipped}`, () => {
  test('coreos-installer unpacks the made-up osmet file, to as many bytes as we read in it', () => {
    const folder = tempFolder();
    const image = Buffer.from(Array.from({ length: 70_000 }, (_, index) => index % 251));
    const digest = createHash('sha256').update(image).digest();
    // A block that is in the repository and not in the packed image.
    const inRepo = image.subarray(4096, 4096 + 8192);
    const object = createHash('sha256').update('any name').digest();
    const hex = object.toString('hex');
    const objects = join(folder, 'repo/objects', hex.slice(0, 2));
    mkdirSync(objects, { recursive: true });
    writeFileSync(join(objects, `${hex.slice(2)}.file`), inRepo);
    const packed = execFileSync('xz', ['-c'], {
      input: Buffer.concat([image.subarray(0, 4096), image.subarray(4096 + 8192)]),
    });
    const head = osmet({ sizeBytes: image.length, digest, mappings: [{ at: 4096, length: 8192, object }] });
    const path = join(folder, 'made.osmet');
    writeFileSync(path, Buffer.concat([head, packed]));
    const disk = makeWholeDisk(1024 * 1024, 512);
    coreosInstaller(['dev', 'extract', 'osmet', '--osmet', path, join(folder, 'repo'), disk.device]);
    execFileSync('blockdev', ['--flushbufs', disk.device]);
    expect(readFileSync(disk.image).subarray(0, image.length).equals(image)).toBe(true);
    expect(decodeOsmet(readFileSync(path))?.sizeBytes).toBe(image.length);
  });
});
