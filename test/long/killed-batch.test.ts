import { expect, test } from 'vitest';
import { SeededText } from '../bench/seeded-text.ts';
import { killBatch } from '../support/killed-batch.ts';

test.each([1, 2])(
  'a batch of 200 sites killed at ten random moments (seed %i) ends with the same bytes',
  async (seed) => {
    const random = new SeededText(`kills ${seed}`);
    const { kills, report, isos, unkilled, leftovers } = await killBatch(
      200,
      Array.from({ length: 10 }, () => 400 + random.below(4000)),
    );
    expect(kills).toBe(10);
    expect(report.sites.every(({ state }) => state === 'built' || state === 'kept')).toBe(true);
    expect(report.sites.some(({ state }) => state === 'kept')).toBe(true);
    expect(isos).toEqual(unkilled);
    expect(leftovers).toEqual([]);
  },
);
