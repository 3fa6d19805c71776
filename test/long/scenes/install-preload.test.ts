import { describe, expect, test } from 'vitest';
import { type LabRun, labMachine } from '../../lab/lab-machine.ts';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import {
  expectConfigured,
  expectGuarded,
  FEW_IMAGES,
  FROM_DISK,
  INSTALL_MS,
  installOn,
  START_S,
  WORK_S,
} from './installed-node.ts';
import { canRehearse, whyNoScene } from './scene.ts';

/** The pull of the operator asks the network in any case, which this mode does not spare: what comes after is not reached. */
const NODE_UNITS = ['edgefab-preload.service', 'edgefab-status.service'];
const LOADED = /edgefab: all \d+ images are in the store/;
const WIPED = 'crio-wipe (stand-in): wiping storage';

async function expectLoaded(node: LabRun, images: readonly string[]): Promise<void> {
  const units = await node.atRest(NODE_UNITS, WORK_S);
  expect(units.filter(({ state }) => state !== 'good')).toEqual([]);
  expect(await node.run('systemctl list-units --failed --plain --no-legend "edgefab-*"')).toBe('');
  expect(node.console()).toMatch(LOADED);
  for (const image of images) await node.run(`podman image exists ${image}`);
}

describe.skipIf(!canRehearse)(`scene: installed, images loaded into the store, BIOS${whyNoScene}`, () => {
  test(
    'the node has its images, after a power cut that empties the store has them again; a stick that was left in installs nothing',
    async () => {
      const site = await makeLabSite({
        line: '4.18',
        version: '4.18.9',
        liveIso: await labIso(),
        imageNames: FEW_IMAGES,
        mode: 'preload',
      });
      const images = ['machine-config-operator', 'rhel-coreos', 'pod'].map(
        (name) => site.components.get(name) ?? name,
      );
      const machine = await labMachine(site, 'bios');
      expect(await installOn(machine)).toMatch(/^done - build \S+ is on \/dev\/sda;/m);
      {
        await using node = machine.switchOn(FROM_DISK);
        await node.up(START_S);
        await expectLoaded(node, images);
        await expectConfigured(node);
        // What crio leaves as long as it runs; nobody gets that far here.
        await node.run('mkdir -p /var/lib/crio && touch /var/lib/crio/clean.shutdown.supported && sync');
        await node.cutPower();
      }
      {
        await using node = machine.switchOn(FROM_DISK);
        await node.up(START_S);
        await expectLoaded(node, images);
        expect(await node.run('journalctl --boot --unit=crio-wipe.service')).toContain(WIPED);
      }
      await using again = machine.switchOn();
      await expectGuarded(again);
    },
    INSTALL_MS,
  );
});
