import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { inspectIso } from '../../src/boot/iso/inspect-iso.ts';
import { hasLab, labIso, whyNoLab } from '../lab/live-lab.ts';
import { coreosInstaller, coreosInstallerSkip, hasCoreosInstaller } from '../support/coreos-installer.ts';

/** From nothing it takes minutes: a root folder of Debian packages. */
const BUILD_MS = 600_000;

describe.skipIf(!hasLab)(`the lab's live image${whyNoLab}`, () => {
  test.each(['json', 'headers'] as const)(
    'edgefab finds the areas: %s',
    async (generation) => {
      const iso = await inspectIso(await labIso(generation));
      expect(iso).toMatchObject({
        volumeId: 'edgefab-lab',
        generation: generation === 'json' ? 'igninfo-json' : 'system-area',
        ignition: { file: 'images/ignition.img', sizeBytes: 262_144 },
        kargs: { capacityBytes: 1139, foundBy: generation === 'json' ? 'kargs-json' : 'system-area' },
      });
      expect(iso.kargs?.areas).toHaveLength(2);
    },
    BUILD_MS,
  );

  test(
    'it starts by BIOS and UEFI, from a disc and from a stick',
    async () => {
      const told = execFileSync('xorriso', ['-indev', await labIso(), '-report_el_torito', 'plain'], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      expect(told).toMatch(/boot img : +1 +BIOS +y/);
      expect(told).toMatch(/boot img : +2 +UEFI +y/);
    },
    BUILD_MS,
  );
});

describe.skipIf(!hasLab || !hasCoreosInstaller)(
  `the real coreos-installer takes the lab's image for a live image${whyNoLab || coreosInstallerSkip}`,
  () => {
    test.each(['json', 'headers'] as const)(
      '%s',
      async (generation) => {
        const shown = coreosInstaller(['iso', 'kargs', 'show', await labIso(generation)]).toString();
        expect(shown.trim()).toBe('coreos.liveiso=edgefab-lab ignition.firstboot ignition.platform.id=metal');
      },
      BUILD_MS,
    );
  },
);
