import { describe, expect, test } from 'vitest';
import { labMachine } from '../../lab/lab-machine.ts';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import {
  expectAtRest,
  expectConfigured,
  expectGuarded,
  expectPulls,
  FEW_IMAGES,
  FROM_DISK,
  INSTALL_MS,
  installOn,
  START_S,
  WORK_S,
} from './installed-node.ts';
import { canRehearse, whyNoScene } from './scene.ts';

describe.skipIf(!canRehearse)(`scene: installed, the cache on a USB disk, BIOS${whyNoScene}`, () => {
  test(
    'the node comes up, copies the cache, goes on without the disk; a stick that was left in installs nothing',
    async () => {
      const site = await makeLabSite({
        line: '4.18',
        version: '4.18.9',
        liveIso: await labIso(),
        imageNames: FEW_IMAGES,
      });
      const machine = await labMachine(site, 'bios');
      expect(await installOn(machine)).toMatch(/^done - build \S+ is on \/dev\/sda;/m);
      {
        await using node = machine.switchOn(FROM_DISK);
        await node.up(START_S);
        await expectAtRest(node);
        await expectConfigured(node);
        await node.shows(/the cache disk may be removed/, WORK_S);
        expect(await node.run('cat /run/edgefab/cache.source')).toBe('node /var/lib/edgefab/cache\n');
        await node.pullCacheDisk();
        await expectPulls(node, site, ['pod']);
        await node.run('systemctl --no-block reboot');
        await node.ended(START_S);
      }
      {
        await using node = machine.switchOn({ ...FROM_DISK, cacheDisk: undefined });
        await node.up(START_S);
        expect(node.console()).not.toContain('ignition-fetch-offline');
        await expectAtRest(node);
        await expectConfigured(node);
        await expectPulls(node, site, ['pod', 'rhel-coreos']);
        expect(await node.run('cat /run/edgefab/cache.source')).toBe('node /var/lib/edgefab/cache\n');
      }
      await using again = machine.switchOn();
      await expectGuarded(again);
    },
    INSTALL_MS,
  );
});
