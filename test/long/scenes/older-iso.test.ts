import { describe, expect, test } from 'vitest';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { canRehearse, expectPassed, rehearse, SCENE_MS, whyNoScene } from './scene.ts';

describe.skipIf(!canRehearse)(`scene: an image whose areas are told in its system area${whyNoScene}`, () => {
  test(
    'config and kernel arguments arrive, and the network comes by arguments',
    async () => {
      const liveIso = await labIso('headers');
      expect((await inspectIso(liveIso)).generation).toBe('system-area');
      expectPassed(await rehearse(await makeLabSite({ line: '4.18', version: '4.18.9', liveIso })));
    },
    SCENE_MS,
  );
});
