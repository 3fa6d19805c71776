import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { BatchReport } from '../../src/factory/batch/batch-report.ts';
import { makeFactory } from './made-factory.ts';
import { runEdgefab } from './run-edgefab.ts';

/** What of a site is made once and kept: the keys of its registry, its Ignition, its extended certificates. */
const KEPT = ['registry.key', 'registry.crt', 'unpatched.ign', 'extended.ign'];

export interface KilledBatch {
  readonly kills: number;
  readonly report: BatchReport;
  /** sha256 of each site's ISO after the killed runs and the last one. */
  readonly isos: ReadonlyMap<string, string>;
  /** The same from one run that nobody killed, with what was made once taken over. */
  readonly unkilled: ReadonlyMap<string, string>;
  /** Files a killed run left in the sites' folders. */
  readonly leftovers: readonly string[];
}

function isosOf(out: string, sites: readonly string[]): Map<string, string> {
  return new Map(
    sites.map((site) => {
      const bytes = readFileSync(join(out, site, `${site}.iso`));
      return [site, createHash('sha256').update(bytes).digest('hex')];
    }),
  );
}

/** Takes over what one output folder made once, and nothing that was built from it. */
function takeOver(from: string, to: string, sites: readonly string[]): void {
  mkdirSync(to, { recursive: true });
  for (const name of ['batch.json', 'registry-ca'])
    cpSync(join(from, name), join(to, name), { recursive: true });
  for (const site of sites) {
    mkdirSync(join(to, site));
    for (const name of KEPT) {
      if (existsSync(join(from, site, name))) cpSync(join(from, site, name), join(to, site, name));
    }
  }
}

/** When to kill a run: once so many more sites have their receipts, and then so much later. */
export interface KillMoment {
  readonly sites: number;
  readonly thenMs: number;
}

/**
 * Runs `batch` on a factory of so many sites, kills it with SIGKILL at each of the moments, which are told by its
 * progress since machines are not equally fast, and lets a last run end.
 */
export async function killBatch(sites: number, moments: readonly KillMoment[]): Promise<KilledBatch> {
  const names = Array.from({ length: sites }, (_, index) => `site-${String(index).padStart(3, '0')}`);
  const factory = await makeFactory({ sites: names });
  const cwd = factory.folder;
  const filled = await runEdgefab(['precache', '--insecure', '--quiet'], { cwd });
  if (filled.status !== 0) throw new Error(filled.stderr);
  let kills = 0;
  const finished = (): number =>
    names.filter((site) => existsSync(factory.at('out', site, 'receipt.json'))).length;
  for (const moment of moments) {
    const wanted = finished() + moment.sites;
    const child = spawn(process.execPath, [join(process.cwd(), 'bin/edgefab.js'), 'batch', '--quiet'], {
      cwd,
      stdio: 'ignore',
    });
    const ended = once(child, 'exit');
    while (child.exitCode === null && finished() < wanted) await delay(20);
    const [isThrough] = await Promise.race([ended.then(() => [true]), delay(moment.thenMs, [false])]);
    if (isThrough === true) break;
    child.kill('SIGKILL');
    await ended;
    kills += 1;
  }
  const last = await runEdgefab(['batch'], { cwd });
  if (last.status !== 0) throw new Error(last.stderr);
  const out = factory.at('out');
  const report = JSON.parse(readFileSync(join(out, 'report.json'), 'utf8')) as BatchReport;
  const isos = isosOf(out, names);
  const known = [...KEPT, '.lock', '.receipt.lock', 'receipt.json'];
  const leftovers = names.flatMap((site) =>
    readdirSync(join(out, site)).filter((name) => !known.includes(name) && name !== `${site}.iso`),
  );

  const aside = factory.at('out-killed');
  cpSync(out, aside, { recursive: true });
  rmSync(out, { recursive: true });
  takeOver(aside, out, names);
  const whole = await runEdgefab(['batch'], { cwd });
  if (whole.status !== 0) throw new Error(whole.stderr);
  return { kills, report, isos, unkilled: isosOf(out, names), leftovers };
}
