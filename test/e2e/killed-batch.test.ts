import { expect, test } from 'vitest';
import { killBatch } from '../support/killed-batch.ts';

test('a batch that is killed goes on: finished sites are kept, and all bytes are those of one never killed', async () => {
  const { kills, report, isos, unkilled, leftovers } = await killBatch(24, [
    { sites: 0, thenMs: 500 },
    { sites: 3, thenMs: 40 },
    { sites: 5, thenMs: 10 },
  ]);
  expect(kills).toBeGreaterThan(0);
  expect(report.sites.every(({ state }) => state === 'built' || state === 'kept')).toBe(true);
  expect(isos).toEqual(unkilled);
  expect(leftovers).toEqual([]);
});
