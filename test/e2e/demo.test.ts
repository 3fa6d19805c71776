import { expect, test } from 'vitest';
import { runEdgefab } from '../support/run-edgefab.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('what the demo built can be worked on: planned, built again and verified, with no registry left', async () => {
  const cwd = tempFolder();
  expect(await runEdgefab(['demo', 'made'], { cwd })).toMatchObject({ status: 0 });
  const folder = `${cwd}/made`;
  expect(await runEdgefab(['plan'], { cwd: folder })).toMatchObject({ status: 0 });
  const batch = await runEdgefab(['batch'], { cwd: folder });
  expect(batch.stdout).toMatch(/^0 built, 1 kept, 0 failed in/m);
  expect(await runEdgefab(['receipt', 'verify', 'out'], { cwd: folder })).toMatchObject({ status: 0 });
});
