import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { type ReadAt, readIso9660 } from '../../src/formats/iso9660.ts';
import { encodeIso9660, type IsoSourceFile } from '../../src/formats/iso9660-writer.ts';
import { madeUpBytes } from '../support/made-up-bytes.ts';
import { tempFolder } from '../support/temp-folder.ts';

const SECTOR = 2048;
const PRIMARY = 16 * SECTOR;
const ROOT_RECORD = PRIMARY + 156;

const from =
  (image: Uint8Array): ReadAt =>
  (offset, length) =>
    Promise.resolve(image.subarray(offset, offset + length));
const open = (image: Uint8Array) => readIso9660(from(image), image.length);
const source = (path: string, content: string): IsoSourceFile => ({ path, bytes: Buffer.from(content) });

const files = [
  source('coreos/igninfo.json', '{"file":"images/ignition.img"}'),
  source('coreos/kargs.json', '{}'),
  source('images/pxeboot/vmlinuz', 'kernel'),
  source('README', 'readme'),
  source('empty.img', ''),
];
const encoded = encodeIso9660({ volumeId: 'edgefab-test', files });

async function textOf(image: Uint8Array, path: string): Promise<string | undefined> {
  const found = await (await open(image)).findFile(path);
  if (found === undefined) return undefined;
  return Buffer.from(image.subarray(found.offset, found.offset + found.sizeBytes)).toString();
}

describe('files that must be found', () => {
  test.each([
    ['coreos/igninfo.json', '{"file":"images/ignition.img"}'],
    ['/coreos/kargs.json', '{}'],
    ['COREOS/KARGS.JSO', '{}'],
    ['./images//pxeboot/vmlinuz', 'kernel'],
    ['README', 'readme'],
    ['empty.img', ''],
  ])('%s', async (path, want) => {
    expect(await textOf(encoded.bytes, path)).toBe(want);
  });
});

describe('lists of files', () => {
  it('have all of them, sorted, with where they are', async () => {
    const listed = await (await open(encoded.bytes)).listFiles();
    expect(listed.map(({ path }) => path)).toEqual([
      'COREOS/IGNINFO.JSO',
      'COREOS/KARGS.JSO',
      'EMPTY.IMG',
      'IMAGES/PXEBOOT/VMLINUZ',
      'README',
    ]);
    const kernel = listed.find(({ path }) => path.endsWith('VMLINUZ'));
    expect(kernel).toMatchObject({ offset: encoded.offsets.get('images/pxeboot/vmlinuz'), sizeBytes: 6 });
  });

  it('end although a directory contains the one above it', async () => {
    const root = Buffer.from(encoded.bytes).readUInt32LE(ROOT_RECORD + 2);
    const image = Buffer.from(encoded.bytes);
    image.writeUInt32LE(root, image.indexOf('COREOS', root * SECTOR) - 33 + 2);
    expect((await (await open(image)).listFiles()).length).toBeLessThan(10);
  });

  it('read each directory once, however many files are looked up', async () => {
    let reads = 0;
    const volume = await readIso9660((offset, length) => {
      reads += 1;
      return from(encoded.bytes)(offset, length);
    }, encoded.bytes.length);
    for (let index = 0; index < 50; index += 1) await volume.findFile(`images/pxeboot/none${index}`);
    await volume.listFiles();
    // One descriptor, four directories.
    expect(reads).toBe(5);
  });

  it('stop at more directories than any live ISO has', async () => {
    const DIRECTORY_BYTES = 1024 * 1024;
    const image = Buffer.alloc(8 * DIRECTORY_BYTES);
    image.set(encoded.bytes);
    const root = image.readUInt32LE(ROOT_RECORD + 2) * SECTOR;
    // Six directories, each in its own place and as large as one may be.
    const record = Buffer.from(image.subarray(root, root + (image[root] ?? 0)));
    for (let index = 0; index < 6; index += 1) {
      const directory = Buffer.from(record);
      directory.writeUInt32LE((index + 1) * (DIRECTORY_BYTES / SECTOR), 2);
      directory.writeUInt32LE(DIRECTORY_BYTES, 10);
      directory[33] = 0x41 + index;
      directory.copy(image, root + index * record.length);
    }
    await expect((await open(image)).listFiles()).rejects.toThrow(
      /directories have more than the 4194304 bytes/,
    );
  });
});

describe('files that are not there', () => {
  test.each([
    'nothing',
    'coreos',
    'coreos/nothing.json',
    'README/x',
    'nowhere/kargs.json',
    '',
    '/',
    '../README',
    'coreos/../README',
  ])('"%s"', async (path) => {
    expect(await textOf(encoded.bytes, path)).toBeUndefined();
  });
});

it('reads volume id and size', async () => {
  expect(await open(encoded.bytes)).toMatchObject({
    volumeId: 'edgefab-test',
    volumeBytes: encoded.bytes.length,
  });
});

it('accepts padding behind the volume', async () => {
  const padded = Buffer.concat([encoded.bytes, Buffer.alloc(300 * 1024)]);
  expect(await textOf(padded, 'README')).toBe('readme');
});

describe('images that must not be read', () => {
  const patched = (at: number, value: Buffer) => {
    const image = Buffer.from(encoded.bytes);
    value.copy(image, at);
    return image;
  };
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value);
    return bytes;
  };
  const rootSector = Buffer.from(encoded.bytes).readUInt32LE(ROOT_RECORD + 2);
  const root = rootSector * SECTOR;
  // In the root, behind the two 34-byte records of "." and "..", COREOS comes first: 33 + 6 + 1 bytes.
  const coreos = root + 68;
  const noPrimary = patched(PRIMARY, Buffer.from([2]));
  const endless = Buffer.alloc(16 * SECTOR + 100 * SECTOR);
  for (let at = PRIMARY; at < endless.length; at += SECTOR) endless.write('\x02CD001\x01', at, 'latin1');

  const overSector = Buffer.from(encoded.bytes).fill(0, coreos, root + SECTOR);
  for (let at = coreos; at < root + SECTOR; at += 250) overSector[at] = 250;

  const rows: [string, Uint8Array, RegExp][] = [
    ['nothing', new Uint8Array(), /offset 32768: volume descriptor ends at 34816, want at most 0/],
    ['text', Buffer.from('hello\n'), /want at most 6/],
    [
      'a file of zeros',
      Buffer.alloc(100_000),
      /marked .*want "CD001" version 1: this is not an ISO 9660 image/,
    ],
    [
      'an image cut in its descriptors',
      encoded.bytes.subarray(0, PRIMARY + 100),
      /ends at 34816, want at most 32868/,
    ],
    ['an image cut at its end', encoded.bytes.subarray(0, -1), /cut short: got \d+ bytes, want \d+/],
    ['no primary descriptor', noPrimary, /no primary volume descriptor/],
    ['descriptors without end', endless, /no primary volume descriptor among the first 64/],
    ['another sector size', patched(PRIMARY + 128, Buffer.from([0, 2])), /sectors have 512 bytes, want 2048/],
    [
      'a root outside the image',
      patched(ROOT_RECORD + 2, u32(1_000_000)),
      /directory ends at 2048002048, want at most/,
    ],
    [
      'a root of 4 GiB',
      patched(ROOT_RECORD + 10, u32(0xffff_ffff)),
      /directory has 4294967295 bytes, want at most 1048576/,
    ],
    ['a root that is a file', patched(ROOT_RECORD + 25, Buffer.from([0])), /the root is not a directory/],
    [
      'a record shorter than its fields',
      patched(coreos, Buffer.from([20])),
      /directory record has 20 bytes, want 34 to/,
    ],
    [
      'a record over its sector',
      overSector,
      /offset \d+: directory record has 250 bytes, want 34 to 230 within/,
    ],
    [
      'a name longer than its record',
      patched(coreos + 32, Buffer.from([200])),
      /has 40 bytes, want 233 for its name/,
    ],
    [
      'a directory outside the image',
      patched(coreos + 2, u32(0xffff_ffff)),
      /want at most \d+, the image's size/,
    ],
  ];
  test.each(rows)('%s', async (_, image, message) => {
    const read = async () => (await open(image)).findFile('coreos/kargs.json');
    await expect(read()).rejects.toThrow(message);
    await expect(read()).rejects.toMatchObject({ code: 'ISO_INVALID' });
  });

  it('reads a directory that contains itself no deeper than the path', async () => {
    const looped = patched(coreos + 2, u32(rootSector));
    expect(await textOf(looped, 'coreos/coreos/coreos/README')).toBe('readme');
    const deep = `${'coreos/'.repeat(40)}README`;
    await expect(textOf(looped, deep)).rejects.toThrow(/has 41 levels, want at most 16/);
  });

  it('refuses a file that ends outside the image, one in pieces, a short read', async () => {
    const readme = Buffer.from(encoded.bytes).indexOf('README.;1', root) - 33;
    await expect(textOf(patched(readme + 10, u32(0xffff_ffff)), 'README')).rejects.toThrow(
      /"README" ends at/,
    );
    await expect(textOf(patched(readme + 25, Buffer.from([0x80])), 'README')).rejects.toThrow(
      /not one plain extent/,
    );
    const short: ReadAt = (offset, length) =>
      Promise.resolve(encoded.bytes.subarray(offset, offset + length - 1));
    await expect(readIso9660(short, encoded.bytes.length)).rejects.toThrow(/got 2047 bytes, want 2048/);
  });

  it('survives any damaged byte in descriptors and directories', async () => {
    for (let at = PRIMARY; at < root + 2 * SECTOR; at += 1) {
      const image = Buffer.from(encoded.bytes);
      if (image[at] === 0 && at % 7 !== 0) continue;
      image[at] = (image[at] ?? 0) ^ 0xff;
      try {
        await textOf(image, 'coreos/kargs.json');
      } catch (error) {
        expect(error).toMatchObject({ code: 'ISO_INVALID' });
      }
    }
  });
});

describe('images that must not be written', () => {
  const many = Array.from({ length: 60 }, (_, index) => source(`f${index}.txt`, ''));
  const rows: [string, string, IsoSourceFile[], RegExp][] = [
    ['no volume id', '', [], /volume id "", want 1 to 32/],
    ['a long volume id', 'x'.repeat(33), [], /want 1 to 32/],
    [
      'two names that become one',
      'v',
      [source('longname1.txt', ''), source('longname2.txt', '')],
      /both named LONGNAME.TXT;1/,
    ],
    ['an absolute path', 'v', [source('/etc/hosts', '')], /not a relative path/],
    ['a path that ends with a slash', 'v', [source('etc/', '')], /not a relative path/],
    ['a directory of more than a sector', 'v', many, /has \d+ bytes of records, want at most 2048/],
  ];
  test.each(rows)('%s', (_, volumeId, bad, message) => {
    expect(() => encodeIso9660({ volumeId, files: bad })).toThrow(message);
  });
});

it('writes the same bytes whatever the order of the files', () => {
  expect(encodeIso9660({ volumeId: 'edgefab-test', files: files.toReversed() }).bytes).toEqual(encoded.bytes);
});

it('tells where each file is', () => {
  const at = encoded.offsets.get('images/pxeboot/vmlinuz') ?? 0;
  expect(Buffer.from(encoded.bytes.subarray(at, at + 6)).toString()).toBe('kernel');
});

const hasXorriso = spawnSync('xorriso', ['--version']).status === 0;

describe.skipIf(!hasXorriso)(`xorriso${hasXorriso ? '' : ' (SKIPPED: no xorriso on PATH)'}`, () => {
  const xorriso = (...args: string[]) => {
    const { status, stdout, stderr } = spawnSync('xorriso', args);
    expect(status, stderr.toString()).toBe(0);
    return stdout.toString();
  };

  it('lists and extracts what we write', () => {
    const folder = tempFolder();
    const image = join(folder, 'ours.iso');
    writeFileSync(image, encoded.bytes);
    expect(xorriso('-indev', image, '-find', '/').split('\n')).toEqual(
      expect.arrayContaining(["'/COREOS/IGNINFO.JSO'", "'/IMAGES/PXEBOOT/VMLINUZ'", "'/README'"]),
    );
    xorriso('-osirrox', 'on', '-indev', image, '-extract', '/IMAGES/PXEBOOT/VMLINUZ', join(folder, 'out'));
    expect(readFileSync(join(folder, 'out'), 'utf8')).toBe('kernel');
  });

  it('lists its files by their Rock Ridge names, and finds them by these', async () => {
    const folder = tempFolder();
    const tree = join(folder, 'tree');
    mkdirSync(join(tree, 'images/a long folder'), { recursive: true });
    writeFileSync(join(tree, 'images/initrd.addrsize'), 'first');
    writeFileSync(join(tree, 'images/initrd.addresses'), 'second');
    writeFileSync(join(tree, 'images/a long folder/.cmdline'), 'third');
    const image = join(folder, 'theirs.iso');
    xorriso('-as', 'mkisofs', '-V', 'theirs', '-volset', 'theirs in full', '-R', '-o', image, tree);
    const bytes = readFileSync(image);
    const volume = await open(bytes);
    expect(volume.volumeSetId.toLowerCase()).toBe('theirs in full');
    expect((await volume.listFiles()).map(({ path }) => path)).toEqual([
      'images/a long folder/.cmdline',
      'images/initrd.addresses',
      'images/initrd.addrsize',
    ]);
    expect(await textOf(bytes, 'images/initrd.addrsize')).toBe('first');
    expect(await textOf(bytes, 'images/initrd.addresses')).toBe('second');
    expect(await textOf(bytes, 'images/a long folder/.cmdline')).toBe('third');
  });

  const options: [string, string[]][] = [
    ['level 1 with Rock Ridge and Joliet, as CoreOS is made', ['-J', '-R']],
    ['long ISO names', ['-iso-level', '3']],
  ];
  test.each(options)('makes images we read: %s', async (_, flags) => {
    const folder = tempFolder();
    const tree = join(folder, 'tree');
    mkdirSync(join(tree, 'coreos/deep'), { recursive: true });
    const noise = madeUpBytes(5000);
    writeFileSync(join(tree, 'coreos/deep/igninfo.json'), noise);
    // Enough entries that the directory takes several sectors.
    for (let index = 0; index < 100; index += 1)
      writeFileSync(join(tree, `coreos/file${index}.txt`), `${index}`);
    const image = join(folder, 'theirs.iso');
    xorriso('-as', 'mkisofs', '-V', 'theirs', ...flags, '-o', image, tree);
    const bytes = readFileSync(image);
    expect((await open(bytes)).volumeId).toBe('theirs');
    expect(await textOf(bytes, 'coreos/file99.txt')).toBe('99');
    const found = await (await open(bytes)).findFile('coreos/deep/igninfo.json');
    expect(found?.sizeBytes).toBe(5000);
    expect(bytes.subarray(found?.offset, (found?.offset ?? 0) + 5000)).toEqual(noise);
  });
});
