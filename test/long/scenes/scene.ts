import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import type { Rehearsal } from '../../../src/factory/rehearse/rehearsal.ts';
import type { LabSite } from '../../lab/lab-site.ts';
import { hasLab, whyNoLab } from '../../lab/live-lab.ts';
import { HAS_DISTRIBUTION_DOUBLE } from '../../support/distribution-image.ts';
import { runEdgefab } from '../../support/run-edgefab.ts';
import { standIns } from '../../support/stand-ins.ts';
import { haveTools } from '../../support/tools.ts';

const TOOLS = ['sgdisk', 'mkfs.xfs', 'losetup'];

/** Whether sites can be made and rehearsed here; else why not, for a title. */
export const canRehearse = hasLab && HAS_DISTRIBUTION_DOUBLE && haveTools(...TOOLS);
export const whyNoScene = canRehearse
  ? ''
  : whyNoLab || ` (SKIPPED: needs docker-registry, ${TOOLS.join(', ')})`;

/** Without KVM, beside other tests, and with the lab to be built first. */
export const SCENE_MS = 1_500_000;

/** What a rehearsal by the built program came to. */
export interface Scene {
  readonly status: number;
  readonly stderr: string;
  readonly rehearsal: Rehearsal;
  /** All that the machine's console said. */
  readonly console: string;
}

export interface SceneOptions {
  readonly args?: readonly string[];
  /** Added to the arguments of QEMU before and after edgefab's own: what a site may meet and no option of edgefab makes. */
  readonly qemu?: { readonly before?: readonly string[]; readonly after?: readonly string[] };
}

/** Rehearses a site by the built program, as a user would. */
export async function rehearse(
  { folder, disk }: LabSite,
  { args = [], qemu }: SceneOptions = {},
): Promise<Scene> {
  const env: Record<string, string> = {};
  if (qemu !== undefined) {
    const { before = [], after = [] } = qemu;
    const programs = standIns();
    programs.add(
      'qemu-system-x86_64',
      `exec /usr/bin/qemu-system-x86_64 ${before.join(' ')} "$@" ${after.join(' ')}`,
    );
    env.PATH = programs.path;
  }
  const command = ['rehearse', 'bip', '--disk', disk, '--timeout', '15m', ...args];
  const { status, stderr } = await runEdgefab(command, { cwd: folder, env });
  const log = join(folder, 'out/bip/rehearsal');
  if (!existsSync(join(log, 'rehearsal.json'))) throw new Error(`there was no rehearsal: ${stderr}`);
  const rehearsal = JSON.parse(readFileSync(join(log, 'rehearsal.json'), 'utf8')) as Rehearsal;
  return { status, stderr, rehearsal, console: readFileSync(join(log, 'console.log'), 'latin1') };
}

/** Everything was good and nothing came from outside; otherwise fails with what was said. */
export function expectPassed({ status, stderr, rehearsal, console }: Scene): void {
  if (status !== 0) throw new Error(`ended with ${status}: ${stderr}\n${console.slice(-20_000)}`);
  expect(rehearsal).toMatchObject({ verdict: 'passed', payloadBytes: 0 });
}

/** The check of that name; fails when there was none. */
export function checkOf({ rehearsal }: Scene, name: string): Rehearsal['checks'][number] {
  const found = rehearsal.checks.find((check) => check.name === name);
  if (found === undefined)
    throw new Error(`no check ${name} among ${rehearsal.checks.map((each) => each.name)}`);
  return found;
}

/** A check of each image that a config asks for, and all of them good. */
export function expectImages({ rehearsal }: Scene, { stock }: LabSite, names: readonly string[]): void {
  const pulled = rehearsal.checks.filter(({ name, state }) => name.startsWith('image ') && state === 'good');
  const got = pulled.map(({ detail }) => detail);
  expect(got).toEqual(expect.arrayContaining(names.map((name) => stock.components.get(name) ?? name)));
}
