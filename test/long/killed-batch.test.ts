import { expect, test } from 'vitest';
import { SeededText } from '../bench/seeded-text.ts';
import { killBatch } from '../support/killed-batch.ts';

test.each([1, 2])(
  'a batch of 200 sites killed at ten random moments (seed %i) ends with the same bytes',
  async (seed) => {
    const random = new SeededText(`kills ${seed}`);
    const { kills, report, isos, unkilled, leftovers } = await killBatch(
      200,
      // Fewer than 200 in all, so that no run comes to its end; the first may be killed before the first site is done.
      Array.from({ length: 10 }, (_, run) => ({
        sites: run === 0 ? 0 : random.below(18),
        thenMs: random.below(600),
      })),
    );
    expect(kills).toBe(10);
    expect(report.sites.every(({ state }) => state === 'built' || state === 'kept')).toBe(true);
    expect(report.sites.some(({ state }) => state === 'kept')).toBe(true);
    expect(isos).toEqual(unkilled);
    expect(leftovers).toEqual([]);
  },
);
