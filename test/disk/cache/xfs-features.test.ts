import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { xfsArguments } from '../../../src/disk/cache/make-xfs.ts';
import { xfsFaults } from '../../../src/disk/cache/xfs-features.ts';
import { decodeXfsSuperblock, type XfsSuperblock } from '../../../src/formats/xfs-superblock.ts';
import type { Host } from '../../../src/host/host.ts';
import { realHost } from '../../../src/host/real-host.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { haveTools } from '../../support/tools.ts';

const ready = haveTools('mkfs.xfs', 'xfs_db');
const skipped = ready ? '' : ' (SKIPPED: needs mkfs.xfs and xfs_db)';

function sparseFile(): string {
  const image = join(tempFolder(), 'disk.img');
  writeFileSync(image, '');
  truncateSync(image, 512 * 1024 * 1024);
  return image;
}

function superblockOf(image: string): XfsSuperblock | undefined {
  const bytes = Buffer.alloc(512);
  const file = openSync(image, 'r');
  readSync(file, bytes, 0, 512, 0);
  closeSync(file);
  return decodeXfsSuperblock(bytes);
}

const GOOD: XfsSuperblock = {
  ...{ version: 5, blockBytes: 4096, sizeBytes: 2 ** 30, sectorBytes: 512, uuid: '', label: '' },
  ...{ isUnfinished: false, hasExternalLog: false, hasRealtime: false },
  ...{ compat: 0, roCompat: 0b0101, incompat: 0b0011, logIncompat: 0 },
};

test.each<[string, Partial<XfsSuperblock>, readonly string[]]>([
  ['as edgefab makes it', {}, []],
  ['with reverse mappings, which RHEL 8 knows', { roCompat: 0b0111 }, []],
  ['for larger sectors than the disk has', { sectorBytes: 4096 }, []],
  ['one feature', { incompat: 0b1011 }, ['it has features the kernel of RHCOS 4.12 does not know: bigtime']],
  [
    'all features and bits nobody has named',
    { compat: 1, roCompat: 0x8000000f, incompat: 0xfffffff7, logIncompat: 1 },
    [
      'it is marked as damaged',
      expect.stringMatching(
        /: compat bit 0, inobtcount, roCompat bit 31, nrext64, exchange, parent, metadir, zoned, zone gaps, incompat bit 11, .*, incompat bit 31, logged xattrs$/,
      ),
    ],
  ],
  ['half made', { isUnfinished: true }, ['mkfs.xfs did not finish it']],
  ['version 4', { version: 4 }, ['it has format version 4, without checksums; want 5']],
  ['an external log', { hasExternalLog: true }, ['its log is on another device']],
  ['a realtime part', { hasRealtime: true }, ['a part of it is on another device (realtime)']],
  ['large blocks', { blockBytes: 16384 }, ['its blocks have 16384 bytes, want at most 4096']],
])('%s', (_, change, faults) => {
  expect(xfsFaults({ ...GOOD, ...change }, 512).map(({ message }) => message)).toEqual(faults);
});

test('an XFS for small sectors does not go with a disk of large ones', () => {
  expect(xfsFaults(GOOD, 4096)).toEqual([
    {
      message: 'it was made for sectors of 512 bytes, its disk or the adapter shows 4096',
      remedy: expect.stringContaining('adapter'),
    },
  ]);
});

test.each([
  ['nothing', Buffer.alloc(0)],
  ['511 bytes', Buffer.concat([Buffer.from('XFSB'), Buffer.alloc(507)])],
  ['zeros', Buffer.alloc(512)],
])('%s is no XFS', (_, bytes) => {
  expect(decodeXfsSuperblock(bytes)).toBeUndefined();
});

describe.skipIf(!ready)(`mkfs.xfs${skipped}`, () => {
  test('what is installed makes an XFS that every node mounts', async () => {
    const image = sparseFile();
    const args = await xfsArguments(image, 'edgefab-node', realHost);
    expect(superblockOf(image)).toBeUndefined();
    execFileSync('mkfs.xfs', ['-q', ...args]);
    const made = superblockOf(image);
    expect(made).toMatchObject({
      version: 5,
      label: 'edgefab-node',
      blockBytes: 4096,
      sizeBytes: 512 * 1024 * 1024,
    });
    expect(made === undefined ? undefined : xfsFaults(made, 512)).toEqual([]);
    expect(
      execFileSync('xfs_db', ['-r', '-c', 'sb 0', '-c', 'print uuid', image], { encoding: 'utf8' }),
    ).toBe(`uuid = ${made?.uuid}\n`);
  });

  test.each([
    ['bigtime=1', '-m', 'bigtime'],
    ['inobtcount=1', '-m', 'inobtcount'],
    ['nrext64=1', '-i', 'nrext64'],
  ])('%s is seen', (word, flag, name) => {
    const image = sparseFile();
    const others = ['bigtime=0', 'inobtcount=0'].filter((other) => !other.startsWith(name));
    execFileSync('mkfs.xfs', ['-q', '-m', others.join(','), flag, word, image]);
    const made = superblockOf(image);
    const [fault] = made === undefined ? [] : xfsFaults(made, 512);
    expect(fault?.message).toBe(`it has features the kernel of RHCOS 4.12 does not know: ${name}`);
  });

  test.each<[string, readonly string[], readonly string[]]>([
    ['an older one, of RHEL 8', ['bigtime', 'inobtcount', 'nrext64', 'exchange', 'parent', 'metadir'], []],
    ['a newer one', [], ['exchange=0', 'parent=0', 'metadir=0']],
  ])('%s gets the words it knows', async (_, unknown, later) => {
    const asked: string[][] = [];
    const host: Pick<Host, 'run'> = {
      run: async (program, args) => {
        asked.push([program, ...args]);
        const exitCode = args.some((arg) => unknown.includes(arg.replace(/=.*/, ''))) ? 1 : 0;
        return { exitCode, stdout: '', stderr: exitCode === 0 ? '' : 'unknown option' };
      },
    };
    const args = await xfsArguments('/dev/sdz1', 'edgefab', host);
    expect(asked.every(([program, first]) => program === 'mkfs.xfs' && first === '-N')).toBe(true);
    expect(args.slice(-4)).toEqual(['-f', '-L', 'edgefab', '/dev/sdz1']);
    expect(args).toEqual(expect.arrayContaining(['crc=1', 'reflink=1', 'sparse=1', ...later]));
    for (const word of unknown) expect(args.join(' ')).not.toContain(word);
  });

  test('a device too small is refused in its words', async () => {
    const image = sparseFile();
    truncateSync(image, 1024 * 1024);
    await expect(xfsArguments(image, 'edgefab', realHost)).rejects.toMatchObject({
      code: 'TOOL_FAILED',
      message: expect.stringContaining(`mkfs.xfs will not format ${image}`),
    });
  });
});
