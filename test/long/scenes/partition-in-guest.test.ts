import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeTarget } from '../../../src/factory/rehearse/machine-parts.ts';
import { labMachine } from '../../lab/lab-machine.ts';
import { makeLabSite } from '../../lab/lab-site.ts';
import { labIso } from '../../lab/live-lab.ts';
import { builtExecutable, IS_BUILDABLE } from '../../support/built-executable.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { canRehearse, SCENE_MS, whyNoScene } from './scene.ts';

const why = whyNoScene || (IS_BUILDABLE ? '' : ' (SKIPPED: needs the WebAssembly of Butane to be built)');
const USB = '/run/usb';
const NODE = '/run/node';
const START_S = 480;
/** An emulated machine hashes some ten megabytes a second. */
const LONG_S = 600;

describe.skipIf(!canRehearse || !IS_BUILDABLE)(
  `scene: the target is prepared in the live system${why}`,
  () => {
    test(
      'partition, cache copy, doctor and cache verify run from the cache disk; the node then finds the copy',
      async () => {
        const site = await makeLabSite({
          line: '4.18',
          version: '4.18.9',
          liveIso: await labIso(),
          location: 'installDisk',
          executable: resolve(builtExecutable()),
        });
        expect(existsSync(join(site.stock.cache, 'edgefab'))).toBe(true);
        const target = join(tempFolder(), 'target.img');
        await makeTarget(target);
        const off = await labMachine(site, 'bios');
        await using machine = off.switchOn({
          cacheDisk: site.stock.disk,
          target: { path: target, bus: 'scsi', format: 'raw' },
        });
        await machine.up(START_S);
        // The search looks into each partition with the label every other second, and would be in the way.
        await machine.run('systemctl stop edgefab-cache.service');
        await machine.run(`mkdir -p ${USB} ${NODE} && mount -o ro /dev/disk/by-partlabel/edgefab ${USB}`);
        const edgefab = (args: string): string => `cd /var/tmp && ${USB}/edgefab ${args}`;
        const partition = edgefab('partition /dev/sda --on-target --size 2GiB');

        expect(await machine.run(`${partition} --dry-run`, LONG_S)).toContain('Nothing was written');
        expect(await machine.run('lsblk -nro NAME /dev/sda')).toBe('sda\n');
        expect(await machine.run(`${partition} --yes`, LONG_S)).toContain('partition 5, edgefab-node');
        // Once more changes nothing.
        expect(await machine.run(`${partition} --yes --json`, LONG_S)).toContain('"action": "none"');

        // A disk with something on it wants more words, and says which.
        const other = edgefab('partition /dev/sda --on-target --size 3GiB');
        const refused = await machine.attempt(`${other} --yes`, LONG_S);
        expect(refused).toMatchObject({
          status: 7,
          output: expect.stringContaining("--confirm 'edgefab-target'"),
        });
        await machine.run(`${other} --yes --wipe --confirm edgefab-target`, LONG_S);

        await machine.run(`mount /dev/disk/by-partlabel/edgefab-node ${NODE}`);
        expect(await machine.run(edgefab(`cache copy ${USB} ${NODE}`), LONG_S)).toContain('complete, id');
        expect(await machine.run(edgefab(`cache verify ${NODE}`), LONG_S)).toContain(
          'every byte is what it claims to be',
        );
        const doctor = await machine.attempt(
          edgefab(`doctor --target --cache ${NODE} --disk /dev/sda`),
          LONG_S,
        );
        expect(doctor.output).toMatch(/^ok +label edgefab-node: \/dev\/sda5$/m);
        expect(doctor.output).toMatch(/^ok +cache \/run\/node: complete, \d+ images, 4\.18\.9, id /m);
        expect(doctor.output).toMatch(/^ok +install disk \/dev\/sda: /m);
        // This machine has less memory than a node.
        expect(doctor.output).not.toMatch(/^MISSING {2}(?!memory)/m);

        await machine.run(`umount ${NODE} && umount ${USB} && systemctl start edgefab-registry.service`);
        await machine.run(
          'until systemctl is-active edgefab-registry-ready.service; do sleep 2; done',
          LONG_S,
        );
        expect(await machine.run('cat /run/edgefab/cache.source')).toBe('disk /dev/sda5\n');
        const etcd = site.stock.components.get('etcd') ?? '';
        await machine.run(`skopeo copy --quiet docker://${etcd} dir:/var/tmp/etcd`);
      },
      SCENE_MS,
    );
  },
);
