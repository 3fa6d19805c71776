import { readFileSync, writeFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { describe, expect, it, test } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { encodeInitrd } from '../../../src/boot/iso/initrd.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import type { IsoImage } from '../../../src/boot/iso/iso-image.ts';
import { planSiteIso } from '../../../src/boot/iso/plan-site-iso.ts';
import { verifySiteIso } from '../../../src/boot/iso/verify-site-iso.ts';
import { isoHost as host, liveIso } from '../../support/live-iso.ts';

const ignition = Buffer.from('{"ignition":{"version":"3.2.0"}}');

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
