import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { labMachine } from '../../lab/lab-machine.ts';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import {
  expectAtRest,
  expectConfigured,
  expectPulls,
  FEW_IMAGES,
  FROM_DISK,
  INSTALL_MS,
  installOn,
  START_S,
  WORK_S,
} from './installed-node.ts';
import { partitionFacts } from './partition-facts.ts';
import { canRehearse, whyNoScene } from './scene.ts';

describe.skipIf(!canRehearse)(`scene: installed, the cache on the install disk, UEFI${whyNoScene}`, () => {
  test(
    'the disk is given back, the cache kept, and served from after the restart',
    async () => {
      const site = await makeLabSite({
        line: '4.18',
        version: '4.18.9',
        liveIso: await labIso(),
        location: 'installDisk',
        imageNames: FEW_IMAGES,
      });
      const before = execFileSync('sgdisk', ['--info=5', site.disk], { encoding: 'utf8' });
      const machine = await labMachine(site, 'uefi');
      const said = await installOn(machine);
      expect(said).toMatch(/^released - nothing holds \/dev\/sda any more/m);
      expect(said).toMatch(
        /^done - build \S+ is on \/dev\/sda; the firmware starts \/dev\/sda first from now on/m,
      );
      await using node = machine.switchOn(FROM_DISK);
      await node.up(START_S);
      expect(partitionFacts(await node.run('sgdisk --info=5 /dev/sda'))).toBe(partitionFacts(before));
      await expectAtRest(node);
      await expectConfigured(node);
      expect(await node.run('cat /run/edgefab/cache.source')).toBe('disk /dev/sda5\n');
      expect(await node.run('grep -o "/run/edgefab/cache xfs ro" /proc/mounts')).not.toBe('');
      // Each file's name is the digest of what was in it before the install.
      const wrong = "cd /run/edgefab/cache/blobs/sha256 && sha256sum -- * | awk '$1 != $2'";
      expect(await node.run(wrong, WORK_S)).toBe('');
      expect(await node.run('ls /run/edgefab/cache/blobs/sha256')).toBe(
        `${readdirSync(join(site.stock.cache, 'blobs/sha256')).sort().join('\n')}\n`,
      );
      await expectPulls(node, site, ['pod']);
    },
    INSTALL_MS,
  );
});
