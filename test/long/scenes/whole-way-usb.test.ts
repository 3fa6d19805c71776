import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { VirtualCard } from '../../../src/factory/rehearse/network-cards.ts';
import { labMachine } from '../../lab/lab-machine.ts';
import { LAB_NETWORK, makeLabSite, relabelled } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import {
  expectAtRest,
  expectConfigured,
  expectGuarded,
  expectPulls,
  FEW_IMAGES,
  FROM_DISK,
  INSTALL_MS,
  installed,
  restarted,
  START_S,
  WORK_S,
} from './installed-node.ts';
import { canRehearse, whyNoScene } from './scene.ts';

/** A second card, whose MAC address the site does not name. */
const OTHER_CARD: VirtualCard = {
  mac: '52:54:00:0e:0e:01',
  netdev: 'user,restrict=on,net=10.77.0.0/24',
  device: 'virtio-net-pci,mac=52:54:00:0e:0e:01',
  subnet: undefined,
  hasIpv6: false,
};
const LIVE_UNITS = ['edgefab-clock', 'edgefab-cache', 'edgefab-registry-ready', 'edgefab-reinstall-guard'];

describe.skipIf(!canRehearse)(`scene: the whole way, 4.18, a cache disk, BIOS${whyNoScene}`, () => {
  test(
    'a dead battery, another card, the wrong disk and then the right one; the node without it; the stick left in',
    async () => {
      const site = await makeLabSite({
        line: '4.18',
        version: '4.18.9',
        liveIso: await labIso(),
        imageNames: FEW_IMAGES,
      });
      const machine = await labMachine(site, 'bios');
      {
        await using live = machine.switchOn({
          clock: new Date('2000-01-01T00:00:00Z'),
          cards: [...machine.plan.cards, OTHER_CARD],
          cacheDisk: relabelled(site.disk, 'EDGEFAB', join(site.folder, 'wrong.img')),
        });
        await live.shows(
          /edgefab: waiting for the cache disk \(partition label edgefab\), up to 600 s/,
          START_S,
        );
        await live.shows(/next: plug in the cache disk: it is looked for again every other second/, START_S);
        // What the technician does now.
        await live.up(START_S);
        await live.pullCacheDisk();
        await live.plugCacheDisk(site.disk);
        const units = await live.atRest(
          LIVE_UNITS.map((name) => `${name}.service`),
          WORK_S,
        );
        expect(units.filter(({ state }) => state !== 'good')).toEqual([]);
        expect(live.console()).toMatch(/setting system clock to 2000-01-01T00:00/);
        expect(live.console()).toMatch(/edgefab: set - the clock said \S+, before this build: now \S+/);
        await expectConfigured(live);
        const addressed = 'ip -oneline -4 address show to 192.168.86.45/32';
        const seen = await live.run(
          `ip route show default; cat /etc/resolv.conf; grep -o "/run/edgefab/cache xfs ro" /proc/mounts
cat /sys/class/net/$(${addressed} | cut -d ' ' -f 2)/address`,
        );
        const { gateway, dns, mac } = LAB_NETWORK;
        for (const part of [`via ${gateway} `, `nameserver ${dns}\n`, '/run/edgefab/cache xfs ro\n'])
          expect(seen).toContain(part);
        expect(seen.endsWith(`\n${mac}\n`)).toBe(true);
        await expectPulls(live, site, ['pod']);
        expect(await installed(live)).toMatch(/^done - build \S+ is on \/dev\/sda;/m);
        await restarted(live);
        expect(await live.traffic()).toMatchObject({ payloadBytes: 0 });
      }
      {
        await using node = machine.switchOn(FROM_DISK);
        await node.up(START_S);
        await expectAtRest(node);
        await expectConfigured(node);
        await node.shows(/the cache disk may be removed/, WORK_S);
        expect(await node.run('cat /run/edgefab/cache.source')).toBe('node /var/lib/edgefab/cache\n');
        await node.pullCacheDisk();
        await expectPulls(node, site, ['pod']);
        expect(await node.traffic()).toMatchObject({ payloadBytes: 0 });
      }
      await using again = machine.switchOn();
      await expectGuarded(again);
    },
    INSTALL_MS,
  );
});
