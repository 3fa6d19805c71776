import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type LabMachine, type LabRun, labMachine } from '../lab/lab-machine.ts';
import { type LabSite, makeLabSite } from '../lab/lab-site.ts';
import { hasLab, labIso, whyNoLab } from '../lab/live-lab.ts';
import { HAS_DISTRIBUTION_DOUBLE } from '../support/distribution-image.ts';
import { haveTools } from '../support/tools.ts';

const TOOLS = ['sgdisk', 'mkfs.xfs', 'losetup'];
const canInstall = hasLab && HAS_DISTRIBUTION_DOUBLE && haveTools(...TOOLS);
const why = canInstall ? '' : whyNoLab || ` (SKIPPED: needs docker-registry, ${TOOLS.join(', ')})`;

/** Without KVM, beside other work. */
const START_S = 400;
const LIVE_PHASE_S = 1500;
const WORK_S = 1200;
const TEST_MS = 3_600_000;

const IMAGES = ['machine-config-operator'];
/** What the node needs before kubelet, and what edgefab has there beside it. */
const NODE_UNITS = [
  'edgefab-cache.service',
  'edgefab-registry.service',
  'edgefab-registry-ready.service',
  'edgefab-status.service',
  'machine-config-daemon-pull.service',
  'machine-config-daemon-firstboot.service',
  'kubelet.service',
];

/** From the stick to the restart: the disk is written and marked. Gives what edgefab said of the disk. */
async function installOn(machine: LabMachine): Promise<string> {
  await using live = machine.switchOn();
  await live.up(START_S);
  const status = '/run/edgefab/after-install.status';
  await live.run(`until [ -e ${status} ]; do sleep 2; done`, LIVE_PHASE_S);
  const said = await live.run(`cat /run/edgefab/release-cache.status ${status}`);
  await live.ended(START_S);
  return said;
}

/** What sgdisk knows of the cache's partition on an install disk. */
function partitionFacts(text: string): string {
  return text
    .split('\n')
    .filter((line) => /^(?:Partition (?:GUID|unique|name)|First|Last)/.test(line))
    .join('\n');
}

async function expectAtRest(node: LabRun): Promise<void> {
  const units = await node.atRest(NODE_UNITS, WORK_S);
  expect(units.filter(({ state }) => state !== 'good')).toEqual([]);
  expect(await node.run('systemctl list-units --failed --plain --no-legend')).toBe('');
}

/** The content of the node that edgefab's MachineConfigs make. */
async function expectConfigured(node: LabRun): Promise<void> {
  expect(await node.run('uname -n')).toBe('bip\n');
  expect(await node.run('cat /etc/chrony.conf')).toContain('192.168.86.1');
  expect(await node.run('cat /etc/NetworkManager/system-connections/*.nmconnection')).toContain(
    '192.168.86.45/24',
  );
  expect(await node.run('ip -oneline address')).toContain('192.168.86.45/24');
}

/** Every byte of these images comes from the registry, by their own names. */
async function expectPulls(node: LabRun, { components }: LabSite, names: readonly string[]): Promise<void> {
  for (const name of names) {
    const reference = components.get(name) ?? '';
    await node.run(`podman rmi --force ${reference}; podman pull --quiet ${reference}`, WORK_S);
  }
}

describe.skipIf(!canInstall)(`a node installed in a virtual machine${why}`, () => {
  test(
    'registry mode, cache on a USB disk, BIOS: it comes up, copies the cache, and goes on without the disk',
    async () => {
      const site = await makeLabSite({
        line: '4.18',
        version: '4.18.9',
        liveIso: await labIso(),
        imageNames: IMAGES,
      });
      const machine = await labMachine(site, 'bios');
      expect(await installOn(machine)).toMatch(/^done - build \S+ is on \/dev\/sda;/m);
      const fromDisk = { stick: undefined, startsFrom: 'target' } as const;
      {
        await using node = machine.switchOn(fromDisk);
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
        await using node = machine.switchOn({ ...fromDisk, cacheDisk: undefined });
        await node.up(START_S);
        expect(node.console()).not.toContain('ignition-fetch-offline');
        await expectAtRest(node);
        await expectConfigured(node);
        await expectPulls(node, site, ['pod', 'rhel-coreos']);
        expect(await node.run('cat /run/edgefab/cache.source')).toBe('node /var/lib/edgefab/cache\n');
      }
      // The stick was left in, and comes first again.
      await using again = machine.switchOn();
      await again.shows(/edgefab: STOPPED: \/dev\/sda holds the install of this very build/, LIVE_PHASE_S);
      await again.up(START_S);
      const guard = await again.atRest(['edgefab-reinstall-guard.service'], WORK_S);
      expect(guard).toMatchObject([{ state: 'failed' }]);
      expect(
        await again.run('systemctl show --value --property=ActiveState install-to-disk.service'),
      ).not.toMatch(/^act/);
    },
    TEST_MS,
  );

  test(
    'registry mode, cache on the install disk, UEFI: it is given back, kept, and served from after the restart',
    async () => {
      const site = await makeLabSite({
        line: '4.18',
        version: '4.18.9',
        liveIso: await labIso(),
        location: 'installDisk',
        imageNames: IMAGES,
      });
      const before = execFileSync('sgdisk', ['--info=5', site.disk], { encoding: 'utf8' });
      const machine = await labMachine(site, 'uefi');
      const said = await installOn(machine);
      expect(said).toMatch(/^released - nothing holds \/dev\/sda any more/m);
      expect(said).toMatch(
        /^done - build \S+ is on \/dev\/sda; the firmware starts \/dev\/sda first from now on/m,
      );
      await using node = machine.switchOn({ stick: undefined, startsFrom: 'target' });
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
    TEST_MS,
  );
});
