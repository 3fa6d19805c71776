import { describe, expect, test } from 'vitest';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { FEW_IMAGES } from './installed-node.ts';
import { canRehearse, checkOf, expectImages, expectPassed, rehearse, SCENE_MS, whyNoScene } from './scene.ts';

describe.skipIf(!canRehearse)(`scene: 4.13, images loaded into the store${whyNoScene}`, () => {
  test(
    'podman finds every image of the bootstrap, and no registry is there',
    async () => {
      const site = await makeLabSite({
        line: '4.13',
        version: '4.13.1',
        liveIso: await labIso(),
        imageNames: ['etcd', ...FEW_IMAGES],
        mode: 'preload',
      });
      const scene = await rehearse(site);
      expectPassed(scene);
      expectImages(scene, site, ['etcd', 'pod', ...FEW_IMAGES]);
      expect(checkOf(scene, 'unit edgefab-preload.service').state).toBe('good');
      expect(scene.rehearsal.checks.map(({ name }) => name)).not.toContain('registry');
      expect(scene.console).toMatch(/edgefab: all \d+ images are in the store/);
    },
    SCENE_MS,
  );
});
