import { describe, expect, test } from 'vitest';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { canRehearse, checkOf, rehearse, SCENE_MS, whyNoScene } from './scene.ts';

/** Ten minutes to find the cache disk and plug it in are too long for a test. */
const SHORT_WAIT_S = 4;

describe.skipIf(!canRehearse)(`scene: a cache disk with another label${whyNoScene}`, () => {
  test(
    'the console says what is missing and what to do, and the rehearsal fails',
    async () => {
      const site = await makeLabSite({
        line: '4.18',
        version: '4.18.9',
        liveIso: await labIso(),
        label: 'EDGEFAB',
        waitSeconds: SHORT_WAIT_S,
      });
      // The registry is tried again and again as long as there is no cache: that is not waited for.
      const scene = await rehearse(site);
      expect(scene.status).toBe(10);
      expect(scene.rehearsal.verdict).toBe('failed');
      // Whichever of the two is seen first: the registry says why the cache is not there.
      expect(checkOf(scene, 'boot').detail).toMatch(
        /the machine waits for a person: (?:cache|registry): stopped - .*plug in the cache disk/,
      );
      expect(checkOf(scene, 'unit edgefab-cache.service').state).toBe('failed');
      expect(scene.console).toContain(
        `edgefab: waiting for the cache disk (partition label edgefab), up to ${SHORT_WAIT_S} s`,
      );
      expect(scene.console).toMatch(
        /edgefab: STOPPED: no partition labelled edgefab holds an edgefab cache with id \S+: plug in the cache disk, then: systemctl restart edgefab-cache/,
      );
      // The one who rehearses reads the same.
      expect(checkOf(scene, 'what the machine says').detail).toContain('plug in the cache disk');
      expect(scene.stderr).toContain('plug in the cache disk');
    },
    SCENE_MS,
  );
});
