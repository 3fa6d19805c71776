import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { buildSiteIso, type SiteIsoOptions } from '../../../src/boot/iso/build-site-iso.ts';
import { compareBytes } from '../../../src/boot/iso/compare-bytes.ts';
import { diffIso } from '../../../src/boot/iso/diff-iso.ts';
import type { ReadableImage } from '../../../src/boot/iso/open-image.ts';
import { type DemoIsoOptions, makeCoreosIso } from '../../support/coreos-iso.ts';
import { isoHost, liveIso } from '../../support/live-iso.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const config = (text: string) =>
  Buffer.from(
    JSON.stringify({
      ignition: { version: '3.2.0' },
      storage: { files: [{ path: '/etc/x', mode: 420, contents: { source: `data:,${text}` } }] },
    }),
  );

async function pair(content: Omit<SiteIsoOptions, 'source' | 'target'>, options: DemoIsoOptions = {}) {
  const { source, target } = await liveIso(options);
  await buildSiteIso({ source, target, ...content }, isoHost);
  return { a: source, b: target };
}

it('finds no difference between an image and itself', async () => {
  const { source } = await liveIso();
  expect(await diffIso(source, source)).toMatchObject({
    same: true,
    properties: [],
    embedded: [],
    ignition: null,
    otherBytes: { same: true, differingBytes: 0, firstOffset: null, files: [] },
  });
});

it('tells what was embedded, and that nothing else changed', async () => {
  const networkFiles = [{ name: 'eno1.nmconnection', bytes: Buffer.from('[connection]\n') }];
  const { a, b } = await pair({
    ignition: config('one'),
    networkFiles,
    kargs: { append: ['foo=bar'], delete: ['ignition.firstboot'] },
  });
  expect(await diffIso(a, b)).toMatchObject({
    same: false,
    properties: [],
    kargs: { current: ['-ignition.firstboot', '+foo=bar'], default: [], sameLine: false },
    embedded: [
      { path: 'config.ign', aBytes: null, bBytes: config('one').length },
      { path: 'etc/coreos-firstboot-network/eno1.nmconnection', aBytes: null, bBytes: 13 },
    ],
    otherBytes: { same: true },
  });
});

it('goes into Ignition configs, and reports bytes where one of them is none', async () => {
  const first = await pair({ ignition: config('one') });
  const second = await pair({ ignition: config('two') });
  const diff = await diffIso(first.b, second.b);
  expect(diff.embedded).toHaveLength(1);
  expect(diff.ignition).toEqual([
    { kind: 'changed', what: 'file', path: '/etc/x', detail: ['-one', '+two'] },
  ]);
  const broken = await pair({ ignition: Buffer.from('no config') });
  expect(await diffIso(first.b, broken.b)).toMatchObject({ same: false, ignition: null, embedded: [{}] });
});

it('tells a line that is only in another order', async () => {
  const { a, b } = await pair({
    kargs: { delete: ['ignition.firstboot'], append: ['ignition.firstboot'] },
  });
  expect(await diffIso(a, b)).toMatchObject({ same: false, kargs: { current: [], sameLine: false } });
});

it('tells what images of two kinds say of themselves', async () => {
  const { source: a } = await liveIso();
  const { source: b } = await liveIso({ architecture: 's390x', areaBytes: 4096 });
  const { properties, same } = await diffIso(a, b);
  expect(same).toBe(false);
  expect(properties.map(({ what }) => what)).toEqual([
    'size',
    'architecture',
    'embed area',
    'kernel argument area',
  ]);
  expect(properties).toContainEqual({ what: 'architecture', a: 'x86_64', b: 's390x' });
});

it('names the file with other bytes, and bytes behind the end', async () => {
  const { source: a } = await liveIso();
  const b = join(tempFolder(), 'b.iso');
  await makeCoreosIso(b);
  const bytes = readFileSync(b);
  const at = bytes.indexOf('Not a vmlinuz');
  bytes.write('Now', at, 'latin1');
  bytes.write('edgefab', 100, 'latin1');
  writeFileSync(b, bytes);
  appendFileSync(b, Buffer.alloc(10));
  const { otherBytes } = await diffIso(a, b);
  expect(otherBytes).toMatchObject({
    same: false,
    // Seven letters in the system area, one of "Not", ten behind the end.
    differingBytes: 18,
    firstOffset: 100,
    files: [null, 'IMAGES/PXEBOOT/VMLINUZ'],
  });
  expect(bytes.subarray(at, at + 3).toString()).toBe('Now');
});

describe('bytes are compared a mebibyte at a time', () => {
  const image = (
    sizeBytes: number,
    byteAt: (offset: number) => number,
  ): ReadableImage & { largest: number } => {
    const made = {
      path: 'made',
      sizeBytes,
      largest: 0,
      readAt: (offset: number, length: number) => {
        made.largest = Math.max(made.largest, length);
        return Promise.resolve(Uint8Array.from({ length }, (_, index) => byteAt(offset + index)));
      },
    };
    return made;
  };
  const MIB = 1024 * 1024;
  const rows: [string, number[], [start: number, end: number][], number][] = [
    ['nothing', [], [], 0],
    ['the first and the last byte', [0, 3 * MIB - 1], [], 2],
    ['both sides of a border', [MIB - 1, MIB], [], 2],
    ['inside a span', [MIB - 1, MIB, MIB + 1], [[MIB - 1, MIB + 2]], 0],
    [
      'beside spans that touch',
      [9, 10, 29, 30],
      [
        [10, 20],
        [20, 30],
      ],
      2,
    ],
    ['a span over the end', [5, 3 * MIB - 1], [[6, 9 * MIB]], 1],
  ];
  test.each(rows)('%s', async (_, places, spans, differing) => {
    const a = image(3 * MIB, () => 1);
    const b = image(3 * MIB, (offset) => (places.includes(offset) ? 2 : 1));
    const found = await compareBytes([a, b], {
      spans: spans.map(([start, end]) => ({ start, end })),
      files: [],
    });
    expect(found.differingBytes).toBe(differing);
    expect(found.same).toBe(differing === 0);
    expect(a.largest).toBe(MIB);
    const masked = spans.reduce((sum, [start, end]) => sum + Math.min(end, 3 * MIB) - start, 0);
    expect(found.comparedBytes).toBe(3 * MIB - masked);
  });

  it('and stops when told', async () => {
    const a = image(MIB, () => 1);
    await expect(
      compareBytes([a, a], { spans: [], files: [], signal: AbortSignal.abort(new Error('stop')) }),
    ).rejects.toThrow('stop');
  });
});
