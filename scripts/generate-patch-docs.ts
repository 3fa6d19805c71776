import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { GOLDEN_CASES, goldenPath, goldenReport, MODES, readGolden } from '../test/support/golden-report.ts';
import { patchDocs } from './patch-docs.ts';

// Run as `node scripts/generate-patch-docs.ts` after a step changed; tests hold reports and page current. The reports
// of the real configs are made anew only where EDGEFAB_FIXTURES names the folder of the conformance data.
const fixtures = process.env.EDGEFAB_FIXTURES;
for (const one of GOLDEN_CASES.filter(({ real }) => !real || fixtures !== undefined)) {
  const before = await one.load(fixtures ?? '');
  for (const mode of MODES) {
    const path = goldenPath(one, mode);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, `${JSON.stringify(await goldenReport(one, mode, before), null, 2)}\n`);
    console.log(path);
  }
}
const reports = GOLDEN_CASES.flatMap((one) => MODES.map((mode) => readGolden(one, mode)));
writeFileSync('docs/patch.md', patchDocs(readFileSync('docs/patch.md', 'utf8'), reports));
