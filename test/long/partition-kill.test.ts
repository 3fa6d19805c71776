import { describe, test } from 'vitest';
import { canPartition, expectWholeTables, whyNotPartition } from '../support/partition-kills.ts';

describe.skipIf(!canPartition)(`a partition run that is killed${whyNotPartition}`, () => {
  test('at 24 random moments: a whole table each time, and the same command ends it', async () => {
    await expectWholeTables(24);
  }, 300_000);
});
