import { describe, test } from 'vitest';
import { makeLabSite } from '../lab/lab-site.ts';
import { labIso } from '../lab/live-lab.ts';
import { canRehearse, expectImages, expectPassed, rehearse, SCENE_MS, whyNoScene } from './scenes/scene.ts';

describe.skipIf(!canRehearse)(`a site rehearsed in a virtual machine${whyNoScene}`, () => {
  test(
    '4.18, registry mode, BIOS: all is there, and nothing comes from outside',
    async () => {
      const site = await makeLabSite({ line: '4.18', version: '4.18.9', liveIso: await labIso() });
      const scene = await rehearse(site);
      expectPassed(scene);
      expectImages(scene, site, ['etcd', 'pod', 'cluster-bootstrap']);
    },
    SCENE_MS,
  );
});
