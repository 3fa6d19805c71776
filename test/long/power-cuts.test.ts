import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { type LabRun, labMachine } from '../lab/lab-machine.ts';
import { type LabSite, makeLabSite } from '../lab/lab-site.ts';
import { labIso } from '../lab/live-lab.ts';
import { seededRandom } from '../support/seeded-random.ts';
import {
  expectAtRest,
  expectConfigured,
  expectGuarded,
  expectPulls,
  FEW_IMAGES,
  FROM_DISK,
  INSTALL_MS,
  installed,
  installOn,
  LIVE_PHASE_S,
  START_S,
  WORK_S,
} from './scenes/installed-node.ts';
import { canRehearse, whyNoScene } from './scenes/scene.ts';

const SEED = Number(process.env.EDGEFAB_SEED ?? 1);
/** Whatever starts at a moment is on its way for some of this. */
const WITHIN_MS = 4000;

/** What the console says at a moment when the power goes. */
const LIVE_MOMENTS: readonly (readonly [string, RegExp])[] = [
  ['the initramfs hands over', /Switching root/],
  ['the cache is mounted', /edgefab: using the cache on \/dev\/vdb1/],
  ['the registry serves', /serves the release image: nothing needs to come from the network/],
  ['the disk is being written', /\bsda: sda1 /],
];
const NODE_MOMENTS: readonly (readonly [string, RegExp])[] = [
  ['the initramfs hands over for the first time', /Switching root/],
  ['the cache is mounted', /edgefab: using the cache on \/dev\/vda1/],
  ['the registry serves', /serves the release image: nothing needs to come from the network/],
  ['the cache is being copied', /edgefab: copying \d+ of \d+ blobs/],
  ['the copy is complete', /edgefab: the copy is complete/],
];

const random = seededRandom(SEED);

async function cutAfter(run: LabRun, name: string, sign: RegExp): Promise<void> {
  await run.shows(sign, LIVE_PHASE_S);
  const ms = random.below(WITHIN_MS);
  process.stdout.write(`power cut: ${name}, ${ms} ms later\n`);
  await delay(ms);
  await run.cutPower();
}

async function makeSite(): Promise<LabSite> {
  return await makeLabSite({
    line: '4.18',
    version: '4.18.9',
    liveIso: await labIso(),
    imageNames: FEW_IMAGES,
  });
}

describe.skipIf(!canRehearse)(`power cuts, seed ${SEED}${whyNoScene}`, () => {
  test(
    'at five moments of the live phase: the next start installs, once',
    async () => {
      const machine = await labMachine(await makeSite(), 'bios');
      for (const [name, sign] of LIVE_MOMENTS) {
        await using live = machine.switchOn();
        await cutAfter(live, name, sign);
      }
      {
        await using live = machine.switchOn();
        await live.up(START_S);
        // A disk half written is no install.
        expect(live.console()).not.toContain('edgefab: STOPPED');
        expect(await installed(live)).toMatch(/^done - build \S+ is on \/dev\/sda;/m);
        await live.cutPower();
      }
      {
        // A whole one is, also when the power went before the restart; the stick is still in.
        await using again = machine.switchOn();
        await expectGuarded(again);
        await again.cutPower();
      }
      await using node = machine.switchOn(FROM_DISK);
      await node.up(START_S);
      await expectAtRest(node);
    },
    INSTALL_MS,
  );

  test(
    'at five moments of the installed node: the next start goes on, and the copy of the cache is whole in the end',
    async () => {
      const site = await makeSite();
      const machine = await labMachine(site, 'bios');
      await installOn(machine);
      for (const [name, sign] of NODE_MOMENTS) {
        await using node = machine.switchOn(FROM_DISK);
        await cutAfter(node, name, sign);
      }
      {
        await using node = machine.switchOn(FROM_DISK);
        await node.up(START_S);
        await expectAtRest(node);
        await node.shows(/the cache disk may be removed/, WORK_S);
        await node.cutPower();
      }
      await using node = machine.switchOn({ ...FROM_DISK, cacheDisk: undefined });
      await node.up(START_S);
      await expectAtRest(node);
      await expectConfigured(node);
      expect(await node.run('cat /run/edgefab/cache.source')).toBe('node /var/lib/edgefab/cache\n');
      const wrong = "cd /var/lib/edgefab/cache/blobs/sha256 && sha256sum -- * | awk '$1 != $2'";
      expect(await node.run(wrong, WORK_S)).toBe('');
      await expectPulls(node, site, ['pod', 'rhel-coreos']);
    },
    INSTALL_MS,
  );
});
