import { describe, expect, onTestFinished, test } from 'vitest';
import { verifyCache } from '../../src/mirror/store/verify-cache.ts';
import { REGISTRY_TOOLS } from '../support/docker-registry.ts';
import { startPullWorld } from '../support/pull-world.ts';
import { runAndKill } from '../support/run-and-kill.ts';
import { haveTools } from '../support/tools.ts';

const ready = haveTools(...REGISTRY_TOOLS);
const skipped = ready ? '' : ` (SKIPPED: needs ${REGISTRY_TOOLS.join(', ')})`;
const MIB = 1024 * 1024;

/** Where sockets' own buffers are full because the rate is held below the line's, that is fetched again too. */
const SOCKET_BYTES = 3 * MIB;

describe.skipIf(!ready)(`a precache that is killed${skipped}`, () => {
  // The whole matrix is in test/long.
  test('in mid-run, again and again, ends whole, and little came twice', async () => {
    const world = await startPullWorld({}, 8 * 1024);
    onTestFinished(() => world.registry.close());
    const moments = [1700, 2300, 1900];
    const { cache, kills, twiceBytes } = await runAndKill(
      world,
      { rate: '2M', parallel: 2 },
      (run) => moments[run],
    );
    expect(kills).toBeGreaterThanOrEqual(2);
    expect(await verifyCache(cache, { parallel: 2 })).toMatchObject({ faults: [], strays: [] });
    expect(twiceBytes).toBeLessThanOrEqual(kills * 2 * (MIB + SOCKET_BYTES));
  });
});
