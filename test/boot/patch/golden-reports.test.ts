import { describe, expect, test } from 'vitest';
import { FIXTURES } from '../../support/bip-ignition.ts';
import {
  GOLDEN_CASES,
  type GoldenCase,
  goldenReport,
  MODES,
  readGolden,
} from '../../support/golden-report.ts';

/**
 * Certificates do not compress and differ from run to run, by some bytes in length too: what is the same inside two base64
 * texts is found by the compressor only where both begin at the same third byte. Compressors differ from Node to Node.
 */
const SLACK_BYTES = 2048;

async function compare(one: GoldenCase): Promise<void> {
  const before = await one.load(FIXTURES ?? '');
  for (const mode of MODES) {
    const { embedBytes, ...report } = await goldenReport(one, mode, before);
    const { embedBytes: want, ...golden } = readGolden(one, mode);
    expect(report).toEqual(golden);
    for (const key of ['before', 'after'] as const)
      expect(Math.abs(embedBytes[key] - want[key])).toBeLessThan(SLACK_BYTES);
  }
}

// After a change that is meant: node scripts/generate-patch-docs.ts
describe('a patch with every step on does exactly what its golden report says', () => {
  test.each(GOLDEN_CASES.filter(({ real }) => !real))('$config', compare);
  describe.skipIf(FIXTURES === undefined)('real configs (needs EDGEFAB_FIXTURES)', () => {
    test.each(GOLDEN_CASES.filter(({ real }) => real))('$config', compare);
  });
});

test.each(GOLDEN_CASES)('no golden report of $config holds a content', (one) => {
  for (const mode of MODES) {
    const text = JSON.stringify(readGolden(one, mode));
    expect(text).not.toMatch(/BEGIN|data:|[A-Za-z0-9+/]{60}/);
    for (const { changes } of readGolden(one, mode).steps)
      for (const change of changes) expect(change.length).toBeLessThan(200);
  }
});
