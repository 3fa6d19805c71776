import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Ignition } from '../../../src/boot/ignition/ignition.ts';
import { bootstrapImageNames } from '../../../src/boot/ignition/image-names.ts';
import { parseIgnition } from '../../../src/boot/ignition/parse-ignition.ts';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { FIXTURES } from '../../support/bip-ignition.ts';
import { movedTo } from '../../support/quay-world.ts';
import { canRehearse, expectImages, expectPassed, rehearse, SCENE_MS, whyNoScene } from './scene.ts';
import { withClusterStandIns, withWitness } from './with-machine-files.ts';

const why = whyNoScene || (FIXTURES === undefined ? ' (SKIPPED: EDGEFAB_FIXTURES is not set)' : '');

/** What the installer wrote, with a release image that is there, and stand-ins for the services of a cluster. */
function installerConfig(line: string, releaseImage: string): Ignition {
  const name = `bip-${line}.ign`;
  const source = parseIgnition(readFileSync(join(FIXTURES ?? '', 'ignition', name)), name);
  return withWitness(
    withClusterStandIns(movedTo(source, releaseImage, '/dev/sda')),
    'bootkube.service',
    `until [[ -e /opt/openshift/.bootkube.done ]]; do sleep 2; done
journalctl --quiet --no-pager --unit=bootkube.service --output=cat | grep '^bootkube has '`,
  );
}

describe.skipIf(!canRehearse || FIXTURES === undefined)(
  `scene: the installer's own 4.18 config${why}`,
  () => {
    test(
      'its own scripts get every image from the cache',
      async () => {
        const site = await makeLabSite({
          line: '4.18',
          version: '4.18.9',
          liveIso: await labIso(),
          source: (releaseImage) => installerConfig('4.18', releaseImage),
          // Those of the real config have ended, and nothing would build it as it is.
          validFor: '30d',
        });
        const scene = await rehearse(site);
        expectPassed(scene);
        expectImages(scene, site, ['etcd', 'pod', 'cluster-bootstrap', 'machine-config-operator']);
        const { components, releaseImage } = site.stock;
        for (const { name } of bootstrapImageNames(installerConfig('4.18', releaseImage)))
          expect(scene.console).toContain(`bootkube has ${name} ${components.get(name)}`);
      },
      SCENE_MS,
    );
  },
);
