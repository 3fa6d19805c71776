import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { buildSiteIso } from '../../../src/boot/iso/build-site-iso.ts';
import { embedBudget } from '../../../src/boot/iso/compress-initrd.ts';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { readIsoIgnition, readIsoKargs } from '../../../src/boot/iso/read-iso.ts';
import { networkKargs } from '../../../src/boot/network/network-kargs.ts';
import { renderKeyfiles } from '../../../src/boot/network/render-keyfiles.ts';
import { coreosInstaller, hasCoreosInstaller } from '../../support/coreos-installer.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { NETWORKS } from '../network/shapes.ts';

const fixtures = process.env.EDGEFAB_FIXTURES;
const reason =
  fixtures === undefined
    ? ' (SKIPPED: EDGEFAB_FIXTURES is not set)'
    : hasCoreosInstaller
      ? ''
      : ' (SKIPPED: no coreos-installer)';
const host = { randomBytes: (size: number) => randomBytes(size) };

const images = [
  {
    name: 'embed-areas-2022-02.iso.xz',
    generation: 'kargs-json',
    volumeId: 'fedora-coreos-35.20220217.dev.0',
    offset: 159_744,
    directives: 0,
  },
  {
    name: 'embed-areas-2023-03.x86_64.iso.xz',
    generation: 'igninfo-json',
    volumeId: 'fedora-coreos-37.20230306.dev.0',
    offset: 157_696,
    directives: 22,
  },
];

describe.skipIf(reason !== '')(`real CoreOS images${reason}`, () => {
  const fixture = (path: string) => join(fixtures ?? '', path);
  const ignition = () => readFileSync(fixture('ignition/bip-4.18.ign'));

  describe.each(images)('$name', ({ name, generation, volumeId, offset, directives }) => {
    function liveIso() {
      const folder = tempFolder();
      const source = join(folder, 'live.iso');
      const { status, stdout } = spawnSync('xz', ['-dc', fixture(`iso/${name}`)], {
        maxBuffer: 16 * 1024 * 1024,
      });
      expect(status).toBe(0);
      writeFileSync(source, stdout);
      return { source, target: join(folder, 'site.iso') };
    }

    it('is found to be what it is', async () => {
      const iso = await inspectIso(liveIso().source);
      expect(iso).toMatchObject({
        generation,
        volumeId,
        ignition: { file: expect.stringMatching(/images\/ignition.img/i), offset, sizeBytes: 262_144 },
        kargs: {
          capacityBytes: 1139,
          areas: [{ file: 'EFI/fedora/grub.cfg' }, { file: 'isolinux/isolinux.cfg' }],
        },
        features: { installerConfig: true, liveInitrdNetwork: true },
      });
      expect(iso.features.installerDirectives).toHaveLength(directives);
      expect(await readIsoIgnition(iso)).toBeUndefined();
      const { current, default: defaults } = await readIsoKargs(iso);
      expect(current).toBe(defaults);
      expect(current).toContain(`coreos.liveiso=${volumeId}`);
    });

    it('takes a real bootstrap-in-place Ignition, which coreos-installer reads back', async () => {
      const { source, target } = liveIso();
      const kargs = {
        append: ['rd.neednet=1', 'ip=192.168.86.45::192.168.86.1:255.255.255.0:bip:enp1s0:none'],
      };
      const receipt = await buildSiteIso({ source, target, ignition: ignition(), kargs }, host);
      expect(coreosInstaller(['iso', 'ignition', 'show', target]).equals(ignition())).toBe(true);
      expect(coreosInstaller(['iso', 'kargs', 'show', target]).toString()).toBe(`${receipt.kargs?.after}\n`);
      const second = `${target}.2`;
      await buildSiteIso({ source: target, target: second, ignition: ignition(), kargs, force: true }, host);
      expect(readFileSync(second).equals(readFileSync(target))).toBe(true);
      coreosInstaller(['iso', 'reset', target]);
      expect(readFileSync(target).equals(readFileSync(source))).toBe(true);
    });

    it.each(NETWORKS)('takes both ways of a network: %s', async (_, shape) => {
      const { source, target } = liveIso();
      const networkFiles = renderKeyfiles(shape).map(({ name, text }) => ({
        name,
        bytes: Buffer.from(text),
      }));
      const kargs = { append: networkKargs(shape, 'bip') };
      const receipt = await buildSiteIso({ source, target, ignition: ignition(), networkFiles, kargs }, host);
      // A keyfile takes up some 300 bytes of the 262,144 at the most.
      const { compressedBytes } = await embedBudget(ignition());
      const grown = (receipt.ignition?.compressedBytes ?? 0) - compressedBytes;
      expect(grown).toBeLessThan(200 + 300 * networkFiles.length);
      expect(receipt.ignition?.compressedBytes).toBe(
        (await embedBudget(ignition(), 262_144, networkFiles)).compressedBytes,
      );
      expect(receipt.kargs?.usedBytes).toBeLessThan(receipt.kargs?.capacityBytes ?? 0);
      const shown = coreosInstaller(['iso', 'network', 'extract', target]).toString();
      for (const { name, bytes } of networkFiles) expect(shown).toContain(`## ${name} ##########\n${bytes}`);
      expect(coreosInstaller(['iso', 'kargs', 'show', target]).toString().trim()).toBe(receipt.kargs?.after);
      coreosInstaller(['iso', 'reset', target]);
      expect(readFileSync(target).equals(readFileSync(source))).toBe(true);
    });

    it('gives back what coreos-installer embeds', async () => {
      const { source, target } = liveIso();
      coreosInstaller(['iso', 'ignition', 'embed', source, '-o', target], ignition());
      const got = await readIsoIgnition(await inspectIso(target));
      expect(Buffer.from(got ?? '').equals(ignition())).toBe(true);
    });
  });

  it('takes less than half of the area for a real Ignition', async () => {
    const { compression, compressedBytes } = await embedBudget(ignition());
    expect(compression).toBe('gzip');
    // 121,669 with GNU gzip, 120,998 with the zlib of Node 24.
    expect(Math.abs(compressedBytes - 121_669)).toBeLessThan(1500);
    const asXz = await embedBudget(ignition(), 115_000);
    expect(asXz.compression).toBe('xz');
    expect(Math.abs(asXz.compressedBytes - 110_124)).toBeLessThan(500);
  });
});
