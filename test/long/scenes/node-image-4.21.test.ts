import { describe, expect, test } from 'vitest';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { OSTREE_DOUBLE } from '../../support/cluster-stand-ins.ts';
import { NODE_IMAGE_FIRST } from './node-image-first.ts';
import { canRehearse, expectImages, expectPassed, rehearse, SCENE_MS, whyNoScene } from './scene.ts';
import { withMachineFiles, withWitness } from './with-machine-files.ts';

describe.skipIf(!canRehearse)(`scene: 4.21, registry mode, UEFI${whyNoScene}`, () => {
  test(
    'the image of the node comes from the registry, before the release image is asked for',
    async () => {
      const site = await makeLabSite({
        line: '4.21',
        version: '4.21.1',
        liveIso: await labIso(),
        source: (releaseImage) =>
          withWitness(
            withMachineFiles(bipIgnition({ line: '4.21', releaseImage }), [NODE_IMAGE_FIRST, OSTREE_DOUBLE]),
            'release-image.service',
            `systemctl is-active node-image-pull.service release-image.service
echo "node image sha256:$(sha256sum </var/ostreecontainer/pulled/manifest.json | cut -d ' ' -f 1)"`,
          ),
      });
      const scene = await rehearse(site, { args: ['--firmware', 'uefi'] });
      expectPassed(scene);
      expect(scene.rehearsal.firmware).toBe('uefi');
      expectImages(scene, site, ['rhel-coreos', 'etcd', 'pod']);
      const [, digest] = site.stock.components.get('rhel-coreos')?.split('@') ?? [];
      expect(scene.console).toContain(`node image ${digest}`);
    },
    SCENE_MS,
  );
});
