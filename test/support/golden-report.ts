import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Ignition } from '../../src/boot/ignition/ignition.ts';
import { loadIgnition } from '../../src/boot/ignition/load-ignition.ts';
import { serializeIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { embedBudget } from '../../src/boot/iso/compress-initrd.ts';
import { patchIgnition } from '../../src/boot/patch/patch-ignition.ts';
import type { StepReport } from '../../src/boot/patch/step.ts';
import { bipIgnition } from './bip-ignition.ts';
import { fullPatch, LINES, REAL_LINES } from './full-patch.ts';

export type Mode = 'registry' | 'preload';
export const MODES: readonly Mode[] = ['registry', 'preload'];

/** What a patch with every step on did to a config: names and changes, sizes in bytes, no content. */
export interface GoldenReport {
  readonly config: string;
  readonly release: string;
  readonly mode: Mode;
  /** Of the embed area, compressed; certificates differ from run to run, and these by some bytes with them. */
  readonly embedBytes: { readonly before: number; readonly after: number };
  readonly steps: readonly Pick<StepReport, 'name' | 'why' | 'changes' | 'skipped'>[];
}

/** A config to be patched. `load` needs the conformance data for real ones. */
export interface GoldenCase {
  readonly config: string;
  readonly release: string;
  readonly real: boolean;
  readonly load: (fixtures: string) => Promise<Ignition>;
}

export const GOLDEN_CASES: readonly GoldenCase[] = [
  ...LINES.map(({ shape, version }) => ({
    config: `made-up-${version}`,
    release: version,
    real: false,
    load: async () => bipIgnition({ line: shape }),
  })),
  ...REAL_LINES.map(({ name, version }) => ({
    config: name,
    release: version,
    real: true,
    load: async (fixtures: string) => await loadIgnition(join(fixtures, 'ignition', `${name}.ign`)),
  })),
];

/** Where a golden report is kept. */
export function goldenPath({ config }: Pick<GoldenCase, 'config'>, mode: Mode): string {
  return `test/fixtures/patch/${config}.${mode}.json`;
}

/** Reads a golden report. */
export function readGolden(one: Pick<GoldenCase, 'config'>, mode: Mode): GoldenReport {
  return JSON.parse(readFileSync(goldenPath(one, mode), 'utf8')) as GoldenReport;
}

/** Patches a config with every step on and reports it. */
export async function goldenReport(
  { config, release }: GoldenCase,
  mode: Mode,
  before: Ignition,
): Promise<GoldenReport> {
  const { ignition, report } = await patchIgnition(before, fullPatch(before, { version: release, mode }));
  const sizeOf = async (one: Ignition): Promise<number> =>
    (await embedBudget(serializeIgnition(one))).compressedBytes;
  return {
    config,
    release,
    mode,
    embedBytes: { before: await sizeOf(before), after: await sizeOf(ignition) },
    steps: report.map(({ name, why, changes, skipped }) => ({
      name,
      why,
      changes,
      ...(skipped === undefined ? {} : { skipped }),
    })),
  };
}
