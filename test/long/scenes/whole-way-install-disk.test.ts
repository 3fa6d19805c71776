import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { labMachine } from '../../lab/lab-machine.ts';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { withStandIns } from '../../lab/stand-ins.ts';
import { bipIgnition } from '../../support/bip-ignition.ts';
import { OSTREE_DOUBLE } from '../../support/cluster-stand-ins.ts';
import { FEW_IMAGES, INSTALL_MS, installed, START_S, WORK_S } from './installed-node.ts';
import { NODE_IMAGE_FIRST } from './node-image-first.ts';
import { partitionFacts } from './partition-facts.ts';
import { canRehearse, whyNoScene } from './scene.ts';
import { withMachineFiles } from './with-machine-files.ts';

const LIVE_UNITS = ['node-image-pull', 'release-image', 'edgefab-registry-ready', 'edgefab-cache'];

describe.skipIf(!canRehearse)(`scene: 4.21, the cache on the install disk, UEFI${whyNoScene}`, () => {
  test(
    'the node image comes from the registry; the disk is given back in time, and the cache is still on it',
    async () => {
      const site = await makeLabSite({
        line: '4.21',
        version: '4.21.1',
        liveIso: await labIso(),
        location: 'installDisk',
        imageNames: FEW_IMAGES,
        source: (releaseImage, components) =>
          withStandIns(
            withMachineFiles(bipIgnition({ line: '4.21', releaseImage, imageNames: FEW_IMAGES }), [
              NODE_IMAGE_FIRST,
              OSTREE_DOUBLE,
            ]),
            {
              operator: components.get('machine-config-operator') ?? '',
              os: components.get('rhel-coreos') ?? '',
            },
          ),
      });
      const machine = await labMachine(site, 'uefi');
      await using live = machine.switchOn();
      await live.up(START_S);
      const units = await live.atRest(
        LIVE_UNITS.map((name) => `${name}.service`),
        WORK_S,
      );
      expect(units.filter(({ state }) => state !== 'good')).toEqual([]);
      const [, digest = ''] = site.components.get('rhel-coreos')?.split('@') ?? [];
      expect(await live.run('sha256sum </var/ostreecontainer/pulled/manifest.json')).toContain(
        digest.replace('sha256:', ''),
      );
      const said = await installed(live);
      expect(said).toMatch(/^released - nothing holds \/dev\/sda any more/m);
      expect(said).toMatch(
        /^done - build \S+ is on \/dev\/sda; the firmware starts \/dev\/sda first from now on/m,
      );
      const before = execFileSync('sgdisk', ['--info=5', site.disk], { encoding: 'utf8' });
      expect(partitionFacts(await live.run('sgdisk --info=5 /dev/sda'))).toBe(partitionFacts(before));
      // Each file's name is the digest of what was in it before the install.
      const blobs = '/run/kept/blobs/sha256';
      await live.run('mkdir /run/kept && mount -o ro /dev/sda5 /run/kept');
      expect(await live.run(`cd ${blobs} && sha256sum -- * | awk '$1 != $2'`, WORK_S)).toBe('');
      expect(await live.run(`ls ${blobs}`)).toBe(
        `${readdirSync(join(site.stock.cache, 'blobs/sha256')).sort().join('\n')}\n`,
      );
      expect(await live.traffic()).toMatchObject({ payloadBytes: 0 });
    },
    INSTALL_MS,
  );
});
