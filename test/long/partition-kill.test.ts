import { describe, test } from 'vitest';
import { expectWholeTables } from '../support/partition-kills.ts';
import { canPartition, partitionSkip } from '../support/partitioned-disk.ts';

describe.skipIf(!canPartition)(`a partition run that is killed${partitionSkip}`, () => {
  test('at 24 random moments: a whole table each time, and the same command ends it', async () => {
    await expectWholeTables(24);
  }, 300_000);
});
