import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { serializeIgnition } from '../../src/boot/ignition/parse-ignition.ts';
import { bipIgnition } from '../support/bip-ignition.ts';
import { installerFiles } from '../support/made-pki.ts';
import { madeUpBytes } from '../support/made-up-bytes.ts';
import { figureTable, machineLine, spreadOf } from './figures.ts';
import { type Contestant, interleave } from './interleave.ts';
import { writeBigIso } from './iso/big-iso.ts';
import { type LoopFileSystem, mountProblem, openLoopFileSystem } from './iso/loop-file-system.ts';
import { measureProcess, type ProcessFigures } from './measure-process.ts';

export const summary = 'embedding into a live ISO, one and a hundred, against coreos-installer iso customize';

const OPTIONS = {
  runs: { type: 'string', default: '3' },
  sites: { type: 'string', default: '100' },
  /** Of rootfs.img, MiB. */
  size: { type: 'string', default: '1200' },
  /** A real config instead of the made-up one. */
  ignition: { type: 'string' },
} as const;

const EDGEFAB = fileURLToPath(new URL('../../bin/edgefab.js', import.meta.url));
const BUILD_SITES = fileURLToPath(new URL('iso/build-sites.ts', import.meta.url));
/** What a bootstrap-in-place config of openshift-install 4.21 has. */
const IGNITION_BYTES = 315_000;
const FILE_SYSTEMS = {
  ext4: ['mkfs.ext4', '-q', '-m', '0'],
  XFS: ['mkfs.xfs', '-q', '-m', 'reflink=1'],
} as const;

/** Keys and certificates, which hardly compress, then scripts, which do: gzip makes two fifths of it, as of real ones. */
function madeUpIgnition(): string {
  const build = (text: string): string =>
    Buffer.from(
      serializeIgnition(
        bipIgnition({ extraFiles: [...installerFiles(), { path: '/opt/made-up.sh', mode: 0o644, text }] }),
      ),
    ).toString();
  const missing = Math.max(0, IGNITION_BYTES - build('').length);
  const words =
    madeUpBytes(4096)
      .toString('base64')
      .match(/.{1,3}/g) ?? [];
  const lines = Array.from({ length: 20_000 }, (_, line) =>
    [1, 7, 13].map((step) => words[(line * step * step) % words.length]).join(' '),
  );
  return build(lines.join('\n').slice(0, Math.floor((missing * 3) / 4)));
}

/** Configs that differ in more than a name: a file of 4 KiB each that is nobody else's. */
function writeIgnitions(folder: string, sites: number, text: string): void {
  mkdirSync(folder);
  for (let site = 0; site < sites; site += 1) {
    const own = Buffer.from(madeUpBytes(4096 + site))
      .subarray(site)
      .toString('base64');
    const config = JSON.parse(text) as { storage: { files: object[] } };
    config.storage.files.push({ path: '/etc/site', mode: 384, contents: { source: `data:;base64,${own}` } });
    writeFileSync(join(folder, `site-${String(site).padStart(3, '0')}.ign`), JSON.stringify(config));
  }
}

interface World {
  readonly peer: string | undefined;
  readonly ignition: string;
  readonly ignitions: string;
  readonly runs: number;
  readonly sites: number;
}

function measure(command: readonly string[]): Promise<ProcessFigures> {
  return measureProcess(command, {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent' },
  });
}

const medianWall = (runs: readonly ProcessFigures[] = []): number =>
  spreadOf(runs.map(({ wallSeconds }) => wallSeconds)).median;

function seconds(value: number): string {
  return `${value.toFixed(2)} s`;
}

/** One ISO: wall time with the process's start, on one file system. */
async function single(name: string, { folder }: LoopFileSystem, world: World): Promise<void> {
  const { peer, ignition, runs } = world;
  const live = join(folder, 'live.iso');
  const out = join(folder, 'out.iso');
  const contestant = (title: string, command: readonly string[]): Contestant => ({
    name: title,
    run: async () => {
      rmSync(out, { force: true });
      execFileSync('sync', ['-f', folder]);
      return await measure(command);
    },
  });
  const theirs = [peer ?? '', 'iso', 'customize', '--live-ignition', ignition];
  const customize = [...theirs, '--live-karg-append', 'edgefab.site=one', '-o', out, live];
  const embed = [
    'iso',
    'embed',
    live,
    '--ignition',
    ignition,
    '--append-karg',
    'edgefab.site=one',
    '-o',
    out,
  ];
  const contestants: readonly Contestant[] = [
    ...(peer === undefined
      ? []
      : [
          contestant('peer', customize),
          contestant('peer + sync', ['sh', '-c', '"$@" && sync "$0"', out, ...customize]),
        ]),
    contestant('edgefab', [process.execPath, EDGEFAB, ...embed]),
    contestant('start-up', [process.execPath, EDGEFAB, '--version']),
  ];
  const figures = await interleave(contestants, { runs, warmUp: true });
  rmSync(out, { force: true });
  process.stdout.write(`\none ISO on ${name}\n${figureTable(figures, ['wall'])}`);
  const ours = medianWall(figures.get('edgefab'));
  const startUp = medianWall(figures.get('start-up'));
  for (const title of ['peer', 'peer + sync']) {
    const theirWall = medianWall(figures.get(title));
    if (Number.isNaN(theirWall)) continue;
    process.stdout.write(
      `edgefab ${seconds(ours)}, of it start-up ${seconds(startUp)}; 1.2 x ${title} + start-up is ${seconds(theirWall * 1.2 + startUp)}\n`,
    );
  }
}

/** Many ISOs, one process of ours against as many runs of the peer. */
async function many(fileSystem: LoopFileSystem, { peer, ignitions, sites, runs }: World): Promise<void> {
  const { folder } = fileSystem;
  const live = join(folder, 'live.iso');
  const out = join(folder, 'sites');
  const newMiB: number[] = [];
  const contestant = (name: string, command: readonly string[]): Contestant => ({
    name,
    run: async () => {
      rmSync(out, { recursive: true, force: true });
      mkdirSync(out);
      const before = fileSystem.usedKiB();
      const figures = await measure(command);
      const usedMiB = (fileSystem.usedKiB() - before) / 1024;
      if (name === 'edgefab') newMiB.push(usedMiB);
      return figures;
    },
  });
  const loop =
    'for f in "$2"/*.ign; do s=$(basename "$f" .ign); mkdir "$3/$s" && "$0" iso customize --live-ignition "$f" --live-karg-append "edgefab.site=$s" -o "$3/$s/$s.iso" "$1" || exit 1; done';
  const contestants = [
    ...(peer === undefined ? [] : [contestant('peer', ['bash', '-c', loop, peer, live, ignitions, out])]),
    contestant('edgefab', [process.execPath, BUILD_SITES, live, ignitions, out]),
  ];
  const figures = await interleave(contestants, { runs, warmUp: false });
  process.stdout.write(
    `\n${sites} sites on XFS\n${figureTable(figures, ['wall', 'CPU', 'anonymous memory'])}`,
  );
  process.stdout.write(`edgefab new disk: ${spreadOf(newMiB).max.toFixed(1)} MiB for ${sites} sites\n`);
  if (peer === undefined) return;
  const one = join(out, 'site-000', 'site-000.iso');
  const shown = execFileSync(peer, ['iso', 'ignition', 'show', one], { maxBuffer: 64 * 1024 * 1024 });
  if (!shown.equals(readFileSync(join(ignitions, 'site-000.ign'))))
    throw new Error('the peer reads another Ignition than was embedded');
}

export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: OPTIONS });
  process.stdout.write(machineLine());
  const program = process.env.COREOS_INSTALLER;
  const version = program === undefined ? undefined : spawnSync(program, ['--version'], { encoding: 'utf8' });
  const hasPeer = version?.status === 0;
  process.stdout.write(
    hasPeer
      ? `peer: ${version.stdout.trim()}, iso customize --live-ignition --live-karg-append -o, which does not flush\n`
      : 'peer: SKIPPED, env COREOS_INSTALLER names no program that runs\n',
  );
  const problem = mountProblem();
  if (problem !== undefined) {
    process.stdout.write(`SKIPPED: ${problem}\n`);
    return;
  }
  const folder = mkdtempSync(join(tmpdir(), 'edgefab-bench-iso-'));
  const ignition = join(folder, 'config.ign');
  const text = values.ignition === undefined ? madeUpIgnition() : readFileSync(values.ignition, 'utf8');
  writeFileSync(ignition, text);
  const world: World = {
    peer: hasPeer ? program : undefined,
    ignition,
    ignitions: join(folder, 'ignitions'),
    runs: Number(values.runs),
    sites: Number(values.sites),
  };
  try {
    writeIgnitions(world.ignitions, world.sites, text);
    const sizeMiB = Number(values.size);
    process.stdout.write(`ISO of ${sizeMiB} MiB, Ignition of ${text.length} bytes\n`);
    for (const [name, mkfs] of Object.entries(FILE_SYSTEMS)) {
      const fileSystem = openLoopFileSystem(folder, name, mkfs, Math.ceil((sizeMiB * 2) / 1024) + 2);
      try {
        writeBigIso(join(fileSystem.folder, 'live.iso'), sizeMiB);
        await single(name, fileSystem, world);
        if (name === 'XFS') await many(fileSystem, world);
      } finally {
        fileSystem.close();
      }
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
