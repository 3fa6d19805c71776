import { chmodSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import type { IsoImage } from '../../../src/boot/iso/iso-image.ts';
import { readIsoIgnition, readIsoInitrd, readIsoKargs } from '../../../src/boot/iso/read-iso.ts';
import type { DemoIsoGeneration } from '../../support/coreos-iso.ts';
import { isoHost as host, liveIso } from '../../support/live-iso.ts';
import { madeUpBytes } from '../../support/made-up-bytes.ts';

const ignition = Buffer.from('{"ignition":{"version":"3.2.0"}}');
const DEFAULTS = 'coreos.liveiso=edgefab-demo ignition.firstboot ignition.platform.id=metal';

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
