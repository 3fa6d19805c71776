import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { MiB, tableOf } from './partitioned-disk.ts';
import { runEdgefab, runEdgefabJson } from './run-edgefab.ts';
import { tempFolder } from './temp-folder.ts';
import { makeWholeDisk, type WholeDisk } from './whole-disk.ts';

/** Changes the table of a disk; gives all of its bytes. */
export function partition(disk: WholeDisk, change: readonly string[]): Buffer {
  execFileSync('sgdisk', [...change, disk.device], { stdio: 'ignore' });
  execFileSync('blockdev', ['--flushbufs', disk.device]);
  return readFileSync(disk.image);
}

/** Kills `edgefab partition` at random moments, always the same ones: a whole table each time, and the same command ends it. */
export async function expectWholeTables(kills: number): Promise<void> {
  const disk = makeWholeDisk(400 * MiB, 512);
  partition(disk, ['-n', '1:2048:40000', '-c', '1:photos']);
  const confirm = `${basename(disk.device)}:${disk.sizeBytes}`;
  const command = ['partition', disk.device, '--label', 'ef-kill', '--yes', '--wipe', '--confirm', confirm];
  const cwd = tempFolder();
  let seed = 7;
  for (let kill = 0; kill < kills; kill += 1) {
    const before = (await tableOf(disk)).table;
    const child = spawn(process.execPath, [`${process.cwd()}/bin/edgefab.js`, ...command], {
      cwd,
      detached: true,
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    await Promise.race([ended, delay(300 + (seed / 2 ** 32) * 2000)]);
    // With sgdisk or mkfs.xfs, if one is running.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended;
    const { table } = await tableOf(disk);
    const names = table?.partitions.map(({ number, name }) => `${number} ${name}`);
    if (JSON.stringify(table) !== JSON.stringify(before)) expect(names).toEqual(['1 ef-kill']);
  }
  const last = await runEdgefab(command, { cwd });
  expect([last.status, last.stderr]).toEqual([0, '']);
  expect((await tableOf(disk)).faults).toEqual([]);
  expect(execFileSync('sgdisk', ['-v', disk.device], { encoding: 'utf8' })).toContain('No problems found');
  // Whatever was written over, its table was saved before.
  expect(readdirSync(cwd).length).toBeGreaterThan(0);
  const again = await runEdgefabJson(['partition', disk.device, '--label', 'ef-kill', '--yes'], { cwd });
  expect([again.status, again.document]).toMatchObject([0, { plan: { action: 'none' } }]);
}
