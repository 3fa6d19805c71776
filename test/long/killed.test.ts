import { describe, expect, onTestFinished, test } from 'vitest';
import { verifyCache } from '../../src/mirror/store/verify-cache.ts';
import { REGISTRY_TOOLS } from '../support/docker-registry.ts';
import { startPullWorld } from '../support/pull-world.ts';
import { runAndKill } from '../support/run-and-kill.ts';
import { haveTools } from '../support/tools.ts';

const ready = haveTools(...REGISTRY_TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs ${REGISTRY_TOOLS.join(', ')})`;
const MIB = 1024 * 1024;
const SOCKET_BYTES = 3 * MIB;

/** Moments from a seed, so that a failure can be run again. */
function momentsOf(seed: number): (run: number) => number | undefined {
  let state = seed;
  return (run) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return run < 10 ? 1200 + (state % 4000) : undefined;
  };
}

describe.skipIf(!ready)(`a precache that is killed${skipped}`, () => {
  test.each<[string, (run: number) => number | undefined]>([
    ['at ten random moments, seed 1', momentsOf(1)],
    ['at ten random moments, seed 2', momentsOf(2)],
    ['every 5 s until it is done', (run) => (run < 30 ? 5000 : undefined)],
  ])(
    '%s ends whole, and little came twice',
    async (_, moments) => {
      const world = await startPullWorld({}, 64 * 1024);
      onTestFinished(() => world.registry.close());
      const { cache, kills, twiceBytes } = await runAndKill(world, { rate: '5M', parallel: 4 }, moments);
      expect(kills).toBeGreaterThan(2);
      expect(await verifyCache(cache, { parallel: 2 })).toMatchObject({ faults: [], strays: [] });
      expect(twiceBytes).toBeLessThanOrEqual(kills * 4 * (MIB + SOCKET_BYTES));
    },
    300_000,
  );
});
