import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { startFaultProxy } from './fault-proxy.ts';
import type { PullWorld } from './pull-world.ts';
import { runEdgefabJson } from './run-edgefab.ts';
import { tempFolder } from './temp-folder.ts';
import { writeImageSet } from './write-image-set.ts';

export interface KilledRuns {
  readonly cache: string;
  readonly kills: number;
  /** What left the registry over all runs, above what there is. */
  readonly twiceBytes: number;
}

/**
 * Runs `precache` with a limited rate, kills it with SIGKILL after each of the given times until it is through,
 * lets a last run end, and counts what was fetched twice.
 */
export async function runAndKill(
  world: PullWorld,
  { rate, parallel }: { readonly rate: string; readonly parallel: number },
  killAfterMs: (run: number) => number | undefined,
): Promise<KilledRuns> {
  const folder = tempFolder();
  const proxy = await startFaultProxy(world.registry.host, () => undefined);
  const set = join(folder, 'imageset.yaml');
  const { images } = world.lockAt(proxy.host);
  writeImageSet(
    set,
    images.map(({ source, digest }) => `${source}@${digest}`),
  );
  const cache = join(folder, 'cache');
  const command = ['precache', set, '--folder', cache, '--insecure', '--parallel', String(parallel)];
  let kills = 0;
  for (let run = 0; ; run += 1) {
    const ms = killAfterMs(run);
    if (ms === undefined) break;
    const child = spawn(process.execPath, ['bin/edgefab.js', ...command, '--limit-rate', rate], {
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    const [isThrough] = await Promise.race([ended.then(() => [true]), delay(ms, [false])]);
    if (isThrough === true) break;
    child.kill('SIGKILL');
    await ended;
    kills += 1;
  }
  const last = await runEdgefabJson(command);
  if (last.status !== 0) throw new Error(last.stderr);
  return { cache, kills, twiceBytes: proxy.sentBytes - world.uniqueBytes };
}
