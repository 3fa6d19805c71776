import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { spillIgnition } from '../../src/boot/patch/spill-ignition.ts';
import { planSpill, type SpillFile } from '../../src/boot/patch/spill-plan.ts';
import { applyStep } from '../../src/boot/patch/step.ts';
import { overlaysStep } from '../../src/boot/patch/user-overlays.ts';
import { bipIgnition } from '../support/bip-ignition.ts';
import { HAS_WASM, NEEDS_WASM } from '../support/butane.ts';
import { bootLive, liveEnd } from '../support/live-phase.ts';
import { makeLoopDevice } from '../support/loop-disk.ts';
import {
  bootstrapNames,
  canBoot,
  openQuayWorld,
  patchConfig,
  type QuayWorld,
  whyNoBoot,
} from '../support/quay-world.ts';
import { TOOL, TOOL_UNIT } from '../support/spill-factory.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { openXfsCache } from '../support/xfs-cache.ts';

const ready = canBoot && HAS_WASM;

describe.skipIf(!ready)(
  `a live system that fetches a program from its cache disk${whyNoBoot}${NEEDS_WASM}`,
  () => {
    let world: QuayWorld;
    beforeAll(async () => {
      world = await openQuayWorld('4.21.1', bootstrapNames([bipIgnition({ line: '4.21' })]));
    });
    afterAll(() => world.close());

    /** Patches a config with the overlay, and takes the program out of it. */
    async function spilled(
      line: '4.18' | '4.21',
      options: readonly string[],
    ): Promise<{ ignition: Ignition; files: readonly SpillFile[] }> {
      const folder = tempFolder();
      mkdirSync(join(folder, 'files'));
      writeFileSync(join(folder, 'files', 'tool'), TOOL.bytes);
      const overlay = join(folder, 'tools.bu');
      writeFileSync(
        overlay,
        `variant: fcos\nversion: 1.3.0\nstorage: { files: [{ path: ${TOOL.path}, mode: 0755, contents: { local: files/tool } }] }\n${TOOL_UNIT}`,
      );
      const source = bipIgnition({
        line,
        installDisk: makeLoopDevice([]),
        releaseImage: world.release.image,
      });
      const plain = await patchConfig(world, source, options);
      const step = await overlaysStep(plain, [overlay], { version: `${line}.9` });
      const { ignition: patched } = applyStep(plain, step);
      const own = step.own ?? { files: [], units: [] };
      const { candidates } = planSpill(patched, own, () => undefined);
      expect(candidates.map(({ path }) => path)).toEqual([TOOL.path]);
      return { ignition: (await spillIgnition(patched, own, candidates)).ignition, files: candidates };
    }

    /** A disk of its own with the cache and these files, some of them spoilt. */
    function diskWith(
      files: readonly SpillFile[],
      spoil: (bytes: Uint8Array) => Uint8Array | undefined,
    ): string {
      const { device, close } = openXfsCache(world.cache);
      onTestFinished(close);
      const mountPoint = mkdtempSync(join(tmpdir(), 'edgefab-mnt-'));
      execFileSync('mount', [device, mountPoint]);
      try {
        const folder = join(mountPoint, 'files', 'sha256');
        mkdirSync(folder, { recursive: true });
        for (const { sha256, bytes } of files) {
          const written = spoil(bytes);
          if (written !== undefined) writeFileSync(join(folder, sha256), written);
        }
      } finally {
        execFileSync('umount', [mountPoint]);
        rmdirSync(mountPoint);
      }
      return device;
    }

    const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

    test('registry mode, 4.21: the program is there before its unit and bootkube, and the install ends', async () => {
      const { ignition, files } = await spilled('4.21', ['--release', '4.21.1']);
      const machine = await bootLive(ignition, [`${diskWith(files, (bytes) => bytes)} edgefab`]);
      await liveEnd(machine, 120);
      expect(machine.journal('big-tool.service')).toContain('the big tool ran');
      expect(machine.text('/run/edgefab/files.status')).toMatch(/^done - all 1 files/);
      expect(machine.run('sha256sum', TOOL.path).stdout).toBe(`${sha256(TOOL.bytes)}  ${TOOL.path}\n`);
      expect(machine.run('stat', '-c', '%a %U:%G', TOOL.path).stdout).toBe('755 root:root\n');
      const started = (unit: string): number =>
        Number(machine.property(unit, 'ExecMainStartTimestampMonotonic'));
      const fetched = Number(machine.property('edgefab-files.service', 'ExecMainExitTimestampMonotonic'));
      for (const unit of ['big-tool.service', 'bootkube.service'])
        expect(started(unit)).toBeGreaterThan(fetched);
      expect(machine.run('journalctl', '--quiet', '--no-pager').stdout).not.toMatch(/ordering cycle/i);
      expect(machine.sentAway()).toBe(0);
    });

    test('preload mode, 4.18: the same, and the disk is let go of', async () => {
      const { ignition, files } = await spilled('4.18', ['--cache-mode', 'preload', '--release', '4.18.9']);
      const machine = await bootLive(ignition, [`${diskWith(files, (bytes) => bytes)} edgefab`]);
      await liveEnd(machine, 120);
      expect(machine.journal('big-tool.service')).toContain('the big tool ran');
      expect(machine.text('/proc/mounts')).not.toContain('/run/edgefab/files.cache');
      const journal = machine.run('journalctl', '--quiet', '--no-pager').stdout;
      expect(journal).not.toMatch(/ordering cycle/i);
    });

    test('one byte is wrong: the console says which file, bootkube does not start, and it can be mended', async () => {
      const { ignition, files } = await spilled('4.21', ['--release', '4.21.1']);
      const device = diskWith(files, (bytes) => {
        const wrong = Uint8Array.from(bytes);
        wrong[300_000] = (wrong[300_000] ?? 0) ^ 1;
        return wrong;
      });
      const machine = await bootLive(ignition, [`${device} edgefab`]);
      await machine.reached('edgefab-files.service', 'failed');
      expect(machine.journal('edgefab-files.service')).toMatch(
        /STOPPED: 1 of 1 files .*big-tool: files\/sha256\/[0-9a-f]{64} has other bytes.*restart this machine/,
      );
      expect(machine.property('edgefab-files.service', 'StandardOutput')).toBe('journal+console');
      await machine.reached('edgefab-status.service', 'inactive');
      for (const unit of ['bootkube.service', 'big-tool.service'])
        expect(machine.property(unit, 'ActiveState')).toBe('inactive');
      expect(machine.run('test', '-e', TOOL.path).status).toBe(1);
      // Mended without a restart: the file is written again elsewhere, and the disk plugged in once more.
      machine.run('systemctl', 'stop', 'edgefab-cache.service');
      const mountPoint = mkdtempSync(join(tmpdir(), 'edgefab-mnt-'));
      execFileSync('mount', [device, mountPoint]);
      writeFileSync(join(mountPoint, 'files', 'sha256', files[0]?.sha256 ?? ''), TOOL.bytes);
      expect(
        readFileSync(join(mountPoint, 'files', 'sha256', files[0]?.sha256 ?? '')).equals(TOOL.bytes),
      ).toBe(true);
      execFileSync('umount', [mountPoint]);
      rmdirSync(mountPoint);
      expect(
        machine.run(
          'bash',
          '-c',
          'systemctl restart edgefab-files.service && systemctl start multi-user.target',
        ),
      ).toMatchObject({ status: 0 });
      await liveEnd(machine, 120);
      expect(machine.journal('big-tool.service')).toContain('the big tool ran');
    });
  },
);
