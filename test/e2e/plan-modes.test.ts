import { readFileSync, writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { makeFactory } from '../support/made-factory.ts';
import { runEdgefab, runEdgefabJson } from '../support/run-edgefab.ts';

interface Plan {
  readonly livePhase: { readonly mode: string; readonly neededBytes: number };
  readonly sites: readonly {
    readonly livePhase: { readonly mode: string; readonly neededBytes: number; readonly ramBytes: number };
    readonly preloadNetwork?: {
      readonly osBytes: number;
      readonly osTimes: number;
      readonly totalBytes: number;
    };
    readonly problems: readonly string[];
  }[];
}

async function planned(cacheMode: 'registry' | 'preload', version: string) {
  const factory = await makeFactory({ cacheMode, version });
  const path = factory.at('factory.yaml');
  writeFileSync(
    path,
    readFileSync(path, 'utf8').replace('    ignition: bip.ign\n', '$&    machine: { ramMiB: 1024 }\n'),
  );
  const args = ['plan', '--insecure', '--insecure-skip-signatures'];
  const { status, document } = await runEdgefabJson(args, { cwd: factory.folder });
  expect(status).toBe(0);
  const text = await runEdgefab(args, { cwd: factory.folder });
  const plan = document as unknown as Plan;
  const [site] = plan.sites;
  if (site === undefined) throw new RangeError('the plan has no site');
  return { plan, site, text };
}

test('mode registry: nothing is pulled from a network, and the RAM holds the image of the registry too', async () => {
  const { plan, site, text } = await planned('registry', '4.21.0');
  expect([plan.livePhase.mode, site.livePhase.mode]).toEqual(['registry', 'registry']);
  expect(site.preloadNetwork).toBeUndefined();
  expect(site.problems).toEqual([
    expect.stringMatching(/^its machine has 1024 MiB of RAM; .* need \d+ MiB$/),
  ]);
  expect(text.stdout).toMatch(/^live phase {8}about .* images in mode registry: a machine with /m);
});

test.each([
  ['4.18.0', 1, 'the operating system, '],
  ['4.21.0', 2, 'the operating system, 2 times '],
])(
  'mode preload of %s: what is still pulled is said as a problem of the site',
  async (version, osTimes, words) => {
    const { plan, site, text } = await planned('preload', version);
    expect([plan.livePhase.mode, site.livePhase.mode]).toEqual(['preload', 'preload']);
    expect(site.preloadNetwork).toMatchObject({ osTimes });
    const { osBytes = 0, totalBytes = 0 } = site.preloadNetwork ?? {};
    expect(osBytes).toBeGreaterThan(0);
    expect(totalBytes).toBeGreaterThan(osBytes * osTimes);
    const problem = site.problems.find((each) =>
      each.startsWith('cache mode preload does not install without a network'),
    );
    expect(problem).toContain(words);
    expect(text.stderr).toContain(`site bip: ${problem}`);
  },
);
