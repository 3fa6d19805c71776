import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { buildSiteIso, type SiteIsoOptions } from '../../../src/boot/iso/build-site-iso.ts';
import { encodeInitrd } from '../../../src/boot/iso/initrd.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import type { IsoImage } from '../../../src/boot/iso/iso-image.ts';
import { planSiteIso } from '../../../src/boot/iso/plan-site-iso.ts';
import { readIsoIgnition, readIsoInitrd, readIsoKargs } from '../../../src/boot/iso/read-iso.ts';
import { verifySiteIso } from '../../../src/boot/iso/verify-site-iso.ts';
import { type DemoIsoGeneration, type DemoIsoOptions, makeCoreosIso } from '../../support/coreos-iso.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const host = { randomBytes: (size: number) => randomBytes(size) };
const ignition = Buffer.from('{"ignition":{"version":"3.2.0"}}');
const DEFAULTS = 'coreos.liveiso=edgefab-demo ignition.firstboot ignition.platform.id=metal';

async function liveIso(options?: DemoIsoOptions): Promise<{ source: string; target: string }> {
  const folder = tempFolder();
  const source = join(folder, 'live.iso');
  await makeCoreosIso(source, options);
  return { source, target: join(folder, 'site.iso') };
}

/** Offsets that differ between two files of one size. */
function differences(left: Buffer, right: Buffer): number[] {
  expect(right.length).toBe(left.length);
  const offsets: number[] = [];
  for (let at = 0; at < left.length; at += 1) if (left[at] !== right[at]) offsets.push(at);
  return offsets;
}

function isInArea({ ignition: area, kargs }: IsoImage, offset: number): boolean {
  const within = (start: number, size: number) => offset >= start && offset < start + size;
  return (
    within(area.offset, area.sizeBytes) ||
    (kargs?.areas ?? []).some((copy) => within(copy.offset, kargs?.capacityBytes ?? 0))
  );
}

describe('every generation', () => {
  test.each<DemoIsoGeneration>(['igninfo-json', 'kargs-json', 'system-area'])('%s', async (generation) => {
    const { source, target } = await liveIso({ generation });
    const before = readFileSync(source);
    const kargs = { append: ['console=ttyS0', 'ip=dhcp'], delete: ['ignition.firstboot'] };
    const receipt = await buildSiteIso({ source, target, ignition, kargs }, host);
    const after = 'coreos.liveiso=edgefab-demo ignition.platform.id=metal console=ttyS0 ip=dhcp';
    expect(receipt).toEqual({
      source,
      target,
      sizeBytes: before.length,
      volumeId: 'edgefab-demo',
      ignition: {
        compression: 'gzip',
        compressedBytes: receipt.ignition?.compressedBytes,
        areaBytes: 262_144,
        files: ['config.ign'],
      },
      kargs: { before: DEFAULTS, after, usedBytes: after.length + 1, capacityBytes: 1139 },
    });

    const iso = await inspectIso(target);
    expect(await readIsoIgnition(iso)).toEqual(ignition);
    expect(await readIsoKargs(iso)).toEqual({ current: after, default: DEFAULTS });
    expect(readFileSync(source)).toEqual(before);
    const changed = differences(before, readFileSync(target));
    expect(changed.length).toBeGreaterThan(100);
    expect(changed.filter((offset) => !isInArea(iso, offset))).toEqual([]);
    // What was written in the area, then nothing but zeros.
    const area = readFileSync(target).subarray(
      iso.ignition.offset,
      iso.ignition.offset + iso.ignition.sizeBytes,
    );
    expect(area.subarray(receipt.ignition?.compressedBytes).every((byte) => byte === 0)).toBe(true);
    expect(readdirSync(dirname(target)).sort()).toEqual(['live.iso', 'site.iso']);
  });
});

describe('same inputs, same bytes', () => {
  it('in two runs, and when a built ISO is built over with force', async () => {
    const { source, target } = await liveIso();
    const content = {
      ignition,
      kargs: { append: ['a=1'] },
      networkFiles: [
        { name: 'b.nmconnection', bytes: Buffer.from('b') },
        { name: 'a.nmconnection', bytes: Buffer.from('a') },
      ],
    };
    await buildSiteIso({ source, target, ...content }, host);
    await buildSiteIso(
      { source, target: `${target}.2`, ...content, networkFiles: content.networkFiles.toReversed() },
      host,
    );
    await buildSiteIso({ source: target, target: `${target}.3`, ...content, force: true }, host);
    const want = readFileSync(target);
    expect(readFileSync(`${target}.2`).equals(want)).toBe(true);
    expect(readFileSync(`${target}.3`).equals(want)).toBe(true);
  });

  it('whatever was in the area before', async () => {
    const { source, target } = await liveIso();
    await buildSiteIso(
      {
        source,
        target: `${target}.large`,
        ignition: madeUpBytes(200_000),
        kargs: { append: ['x'.repeat(900)] },
      },
      host,
    );
    await buildSiteIso({ source: `${target}.large`, target, ignition, kargs: {}, force: true }, host);
    await buildSiteIso({ source, target: `${target}.fresh`, ignition, kargs: {} }, host);
    expect(readFileSync(target).equals(readFileSync(`${target}.fresh`))).toBe(true);
  });
});

describe('content that is left alone', () => {
  it('kernel arguments without an edit, Ignition without a new one', async () => {
    const { source, target } = await liveIso();
    await buildSiteIso({ source, target, ignition }, host);
    expect(await readIsoKargs(await inspectIso(target))).toEqual({ current: DEFAULTS, default: DEFAULTS });
    await buildSiteIso({ source: target, target: `${target}.2`, kargs: { append: ['a=1'] } }, host);
    const second = await inspectIso(`${target}.2`);
    expect(await readIsoIgnition(second)).toEqual(ignition);
    expect((await readIsoKargs(second)).current).toBe(`${DEFAULTS} a=1`);
  });

  it('network files when only the Ignition changes', async () => {
    const { source, target } = await liveIso();
    const networkFiles = [{ name: 'eth0.nmconnection', bytes: Buffer.from('[connection]') }];
    await buildSiteIso({ source, target, networkFiles }, host);
    await buildSiteIso({ source: target, target: `${target}.2`, ignition }, host);
    const files = await readIsoInitrd(await inspectIso(`${target}.2`));
    expect([...files.keys()].sort()).toEqual([
      'config.ign',
      'etc/coreos-firstboot-network/eth0.nmconnection',
    ]);
  });
});

it('uses xz when gzip does not fit', async () => {
  const { source, target } = await liveIso();
  const noise = madeUpBytes(200_000);
  const twice = Buffer.concat([noise, noise]);
  const receipt = await buildSiteIso({ source, target, ignition: twice }, host);
  expect(receipt.ignition?.compression).toBe('xz');
  expect(await readIsoIgnition(await inspectIso(target))).toEqual(twice);
});

it('fills an area to its last byte, and says how much is too much', async () => {
  const { source } = await liveIso();
  const { ignition: plan } = await planSiteIso(await inspectIso(source), { ignition: madeUpBytes(5000) });
  const compressedBytes = plan?.compressedBytes ?? 0;
  const exact = await liveIso({ areaBytes: compressedBytes });
  await buildSiteIso({ ...exact, ignition: madeUpBytes(5000) }, host);
  expect(await readIsoIgnition(await inspectIso(exact.target))).toEqual(madeUpBytes(5000));

  const small = await liveIso({ areaBytes: 4000 });
  const built = buildSiteIso({ ...small, ignition: madeUpBytes(5000) }, host);
  await expect(built).rejects.toMatchObject({
    code: 'EMBED_AREA_FULL',
    exitCode: 4,
    place: { file: small.source },
  });
  await expect(built).rejects.toThrow(/: (\d+) bytes with xz, want at most 4000: 1\d\d\d too many/);
  expect(readdirSync(dirname(small.target))).toEqual(['live.iso']);
});

it('fills the kernel arguments to their last byte, and says how much is too much', async () => {
  const { source, target } = await liveIso({ defaultKargs: 'quiet', kargsCapacity: 20 });
  await buildSiteIso({ source, target, kargs: { append: ['thirteen.chrs'] } }, host);
  expect((await readIsoKargs(await inspectIso(target))).current).toBe('quiet thirteen.chrs');
  const built = buildSiteIso({ source, target: `${target}.2`, kargs: { append: ['fourteen.chars'] } }, host);
  await expect(built).rejects.toMatchObject({ code: 'KARGS_AREA_FULL', exitCode: 4 });
  await expect(built).rejects.toThrow(/have 21 bytes with their end mark, want at most 20.*1 too many/);
  expect(readdirSync(dirname(target)).sort()).toEqual(['live.iso', 'site.iso']);
});

describe('what is refused', () => {
  type Row = [
    string,
    (iso: { source: string; target: string }) => Promise<SiteIsoOptions> | SiteIsoOptions,
    string,
  ];
  const occupied = async (iso: { source: string; target: string }, content: Partial<SiteIsoOptions>) => {
    const source = `${iso.source}.occupied`;
    await buildSiteIso({ source: iso.source, target: source, ...content }, host);
    return { ...iso, source };
  };
  const keyfile = (name: string) => ({ name, bytes: Buffer.from('x') });
  const rows: Row[] = [
    [
      'an Ignition of 65 MiB',
      (iso) => ({ ...iso, ignition: Buffer.alloc(65 * 1024 * 1024) }),
      'EMBED_AREA_FULL',
    ],
    ['nothing to put in', (iso) => iso, 'USAGE_INVALID'],
    [
      'an Ignition over another',
      async (iso) => ({ ...(await occupied(iso, { ignition })), ignition }),
      'EMBED_AREA_OCCUPIED',
    ],
    [
      'network files over others',
      async (iso) => ({
        ...(await occupied(iso, { networkFiles: [keyfile('a')] })),
        networkFiles: [keyfile('b')],
      }),
      'EMBED_AREA_OCCUPIED',
    ],
    [
      'arguments over changed ones',
      async (iso) => ({ ...(await occupied(iso, { kargs: { append: ['a'] } })), kargs: { append: ['b'] } }),
      'KARGS_AREA_OCCUPIED',
    ],
    [
      'a network file in another folder',
      (iso) => ({ ...iso, networkFiles: [keyfile('../x')] }),
      'USAGE_INVALID',
    ],
    [
      'a network file twice',
      (iso) => ({ ...iso, networkFiles: [keyfile('x'), keyfile('x')] }),
      'USAGE_INVALID',
    ],
    [
      'the source as target',
      (iso) => ({ ...iso, target: iso.source, ignition, overwrite: true }),
      'USAGE_INVALID',
    ],
    [
      'a second name of the source as target',
      (iso) => {
        linkSync(iso.source, iso.target);
        return { ...iso, ignition, overwrite: true };
      },
      'USAGE_INVALID',
    ],
    [
      'a link to the source as target',
      (iso) => {
        symlinkSync(iso.source, iso.target);
        return { ...iso, ignition, overwrite: true };
      },
      'USAGE_INVALID',
    ],
    [
      'a target that is there',
      (iso) => ({ ...iso, target: import.meta.filename, ignition }),
      'TARGET_EXISTS',
    ],
    [
      'a device as target',
      (iso) => ({ ...iso, target: '/dev/null', ignition, overwrite: true }),
      'TARGET_EXISTS',
    ],
    [
      'a folder as target',
      (iso) => {
        mkdirSync(iso.target);
        return { ...iso, ignition, overwrite: true };
      },
      'TARGET_EXISTS',
    ],
    [
      'a folder that is not there',
      (iso) => ({ ...iso, target: join(iso.target, 'x.iso'), ignition }),
      'FILE_UNREADABLE',
    ],
    [
      'a source that is not there',
      (iso) => ({ ...iso, source: `${iso.source}x`, ignition }),
      'FILE_UNREADABLE',
    ],
  ];
  test.each(rows)('%s', async (_, prepare, code) => {
    const options = await prepare(await liveIso());
    const left = readdirSync(dirname(options.source)).sort();
    const source = code === 'FILE_UNREADABLE' ? undefined : readFileSync(options.source);
    await expect(buildSiteIso(options, host)).rejects.toMatchObject({ code });
    expect(readdirSync(dirname(options.source)).sort()).toEqual(left);
    if (source !== undefined) expect(readFileSync(options.source).equals(source)).toBe(true);
  });

  it('an area with something unknown in it, even with force', async () => {
    const { source, target } = await liveIso();
    const iso = await inspectIso(source);
    const bytes = readFileSync(source);
    bytes.write('something else', iso.ignition.offset);
    writeFileSync(source, bytes);
    const built = buildSiteIso({ source, target, ignition, force: true }, host);
    await expect(built).rejects.toMatchObject({ code: 'CPIO_INVALID' });
    await expect(built).rejects.toThrow(/the Ignition embed area of .*live.iso cannot be read: /);
  });

  it('network files where the live system does not read them', async () => {
    const { source, target } = await liveIso();
    const text = readFileSync(source, 'latin1').replace(
      '"live-initrd-network": true',
      '"live-initrd-networx": true',
    );
    writeFileSync(source, text, 'latin1');
    const built = buildSiteIso({ source, target, networkFiles: [keyfile('x')] }, host);
    await expect(built).rejects.toMatchObject({ code: 'MODE_UNSUPPORTED' });
  });
});

describe('the file that is written', () => {
  it('is for its owner only, also from a source that is read-only', async () => {
    const { source, target } = await liveIso();
    chmodSync(source, 0o444);
    await buildSiteIso({ source, target, ignition }, host);
    expect(statSync(target).mode & 0o777).toBe(0o600);
  });

  it('replaces another only when told so', async () => {
    const { source, target } = await liveIso();
    writeFileSync(target, 'old');
    await buildSiteIso({ source, target, ignition, overwrite: true }, host);
    expect(await readIsoIgnition(await inspectIso(target))).toEqual(ignition);
  });
});

describe('reading back', () => {
  const damaged: [string, (bytes: Buffer, iso: IsoImage) => void, RegExp][] = [
    [
      'a bit in the Ignition',
      (bytes, iso) => bytes.writeUInt8(1, iso.ignition.offset + 20),
      /Ignition area in .*byte 20 of 262144/,
    ],
    [
      'a bit behind the Ignition',
      (bytes, iso) => bytes.writeUInt8(1, iso.ignition.offset + 262_143),
      /byte 262143 of/,
    ],
    [
      'a bit in the arguments',
      (bytes, iso) => bytes.writeUInt8(65, iso.kargs?.areas[1]?.offset ?? 0),
      /kernel argument area in \/isolinux/,
    ],
    [
      'a bit in the descriptor',
      (bytes) => bytes.writeUInt8(0, 16 * 2048 + 3),
      /content of .* is not what was written/,
    ],
    ['the name of kargs.json', (bytes) => bytes.write('KARGX', bytes.indexOf('KARGS.JSO')), /content of/],
  ];
  test.each(damaged)('notices %s', async (_, damage, message) => {
    const { source, target } = await liveIso();
    const iso = await inspectIso(source);
    const plan = await planSiteIso(iso, { ignition, kargs: { append: ['a=1'] } });
    await buildSiteIso({ source, target, ignition, kargs: { append: ['a=1'] } }, host);
    await verifySiteIso(target, plan);
    const bytes = readFileSync(target);
    damage(bytes, iso);
    writeFileSync(target, bytes);
    await expect(verifySiteIso(target, plan)).rejects.toMatchObject({
      code: 'ISO_READBACK_MISMATCH',
      exitCode: 6,
    });
    await expect(verifySiteIso(target, plan)).rejects.toThrow(message);
  });

  it('notices another Ignition than the plan has', async () => {
    const { source } = await liveIso();
    const iso = await inspectIso(source);
    const bytes = readFileSync(source);
    const other = gzipSync(encodeInitrd([{ path: 'config.ign', bytes: Buffer.from('other') }]));
    other.copy(bytes, iso.ignition.offset);
    writeFileSync(source, bytes);
    const plan = {
      regions: [],
      ignition: {
        ...iso.ignition,
        compression: 'gzip',
        compressedBytes: 1,
        areaBytes: 2,
        files: new Map([['config.ign', ignition]]),
      },
    } as const;
    await expect(verifySiteIso(source, plan)).rejects.toThrow(
      /embedded file config.ign of .* is not what was written/,
    );
  });
});
