import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { inspectIso } from '../../../src/boot/iso/inspect-iso.ts';
import { loadReceipt } from '../../../src/factory/receipt/load-receipt.ts';
import { LAB_NETWORK, makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { canRehearse, checkOf, expectPassed, rehearse, SCENE_MS, whyNoScene } from './scene.ts';

describe.skipIf(!canRehearse)(`scene: an image whose areas are told in its system area${whyNoScene}`, () => {
  test(
    'config and kernel arguments arrive, and the network comes by arguments',
    async () => {
      const liveIso = await labIso('headers');
      expect((await inspectIso(liveIso)).generation).toBe('system-area');
      const site = await makeLabSite({ line: '4.18', version: '4.18.9', liveIso });
      const { network } = await loadReceipt(join(site.folder, 'out/bip/receipt.json'));
      expect(network.way).toBe('kernel arguments');
      const scene = await rehearse(site);
      expectPassed(scene);
      expect(checkOf(scene, 'address').detail).toBe(LAB_NETWORK.address);
    },
    SCENE_MS,
  );
});
