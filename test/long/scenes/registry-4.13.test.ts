import { describe, test } from 'vitest';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { canRehearse, expectImages, expectPassed, rehearse, SCENE_MS, whyNoScene } from './scene.ts';

describe.skipIf(!canRehearse)(`scene: 4.13, registry mode${whyNoScene}`, () => {
  test(
    'all is there, and nothing comes from outside',
    async () => {
      const site = await makeLabSite({ line: '4.13', version: '4.13.1', liveIso: await labIso() });
      const scene = await rehearse(site);
      expectPassed(scene);
      expectImages(scene, site, ['etcd', 'pod', 'cluster-bootstrap']);
    },
    SCENE_MS,
  );
});
