import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeLabSite } from '../lab/lab-site.ts';
import { hasLab, labIso, whyNoLab } from '../lab/live-lab.ts';
import { HAS_DISTRIBUTION_DOUBLE } from '../support/distribution-image.ts';
import { runEdgefabJson } from '../support/run-edgefab.ts';
import { haveTools } from '../support/tools.ts';

const TOOLS = ['sgdisk', 'mkfs.xfs', 'losetup'];
const canRehearse = hasLab && HAS_DISTRIBUTION_DOUBLE && haveTools(...TOOLS);
const why = canRehearse ? '' : whyNoLab || ` (SKIPPED: needs docker-registry, ${TOOLS.join(', ')})`;

/** Without KVM, beside other tests, and with the lab to be built first. */
const REHEARSAL_MS = 1_200_000;

describe.skipIf(!canRehearse)(`a site rehearsed in a virtual machine${why}`, () => {
  test(
    '4.18, registry mode, BIOS: all is there, and nothing comes from outside',
    async () => {
      const { folder, disk } = await makeLabSite({
        line: '4.18',
        version: '4.18.9',
        liveIso: await labIso(),
      });
      const args = ['rehearse', 'bip', '--disk', disk, '--timeout', '12m'];
      const { status, stderr, document } = await runEdgefabJson(args, { cwd: folder });
      const log = (): string => readFileSync(join(folder, 'out/bip/rehearsal/console.log'), 'latin1');
      if (status !== 0) throw new Error(`${stderr}\n${log().slice(-20_000)}`);
      expect(document).toMatchObject({ kind: 'Rehearsal', verdict: 'passed', payloadBytes: 0 });
    },
    REHEARSAL_MS,
  );
});
