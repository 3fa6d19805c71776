import { describe, expect, test } from 'vitest';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { canRehearse, expectPassed, rehearse, SCENE_MS, whyNoScene } from './scene.ts';

describe.skipIf(!canRehearse)(`scene: a machine with a dead battery${whyNoScene}`, () => {
  test(
    'switched on in 2000, it is set to the time of the build before anything looks at a certificate',
    async () => {
      const site = await makeLabSite({ line: '4.18', version: '4.18.9', liveIso: await labIso() });
      const scene = await rehearse(site, { qemu: { after: ['-rtc', 'base=2000-01-01T00:00:00'] } });
      // The machine really began there.
      expect(scene.console).toMatch(/setting system clock to 2000-01-01T00:00/);
      expect(scene.console).toMatch(/edgefab: set - the clock said \S+, before this build: now \S+/);
      expectPassed(scene);
    },
    SCENE_MS,
  );
});
