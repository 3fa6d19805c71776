import { cpus, totalmem } from 'node:os';
import type { ProcessFigures } from './measure-process.ts';

interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

/** Orders figures and picks the ends and the middle; of an even number the mean of the two middle ones. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const half = (sorted.length - 1) / 2;
  return { min: at(0), median: (at(Math.floor(half)) + at(Math.ceil(half))) / 2, max: at(sorted.length - 1) };
}

/** Figure by figure `of / to`, so that what slows the whole machine for a while falls out. */
function pairRatios(of: readonly number[], to: readonly number[]): number[] {
  return of.map((value, at) => value / (to[at] ?? Number.NaN));
}

function row(name: string, values: readonly number[], digits: number, unit: string): string {
  const { min, median, max } = spreadOf(values);
  const cells = [min, median, max].map((value) => value.toFixed(digits).padStart(9)).join('');
  return `${name.padEnd(38)}${cells}  ${unit}`;
}

const FIGURES = {
  wall: { of: (run: ProcessFigures) => run.wallSeconds, digits: 2, unit: 's' },
  'peak memory': { of: (run: ProcessFigures) => run.peakMiB, digits: 0, unit: 'MiB' },
  CPU: { of: (run: ProcessFigures) => run.cpuSeconds, digits: 1, unit: 's' },
  'anonymous memory': { of: (run: ProcessFigures) => run.anonymousMiB, digits: 0, unit: 'MiB' },
} as const;

/** Lays out the runs of each contestant; with two or more, each one's ratio to the first. */
export function figureTable(
  contestants: ReadonlyMap<string, readonly ProcessFigures[]>,
  figures: readonly (keyof typeof FIGURES)[] = ['wall', 'peak memory'],
): string {
  const lines = [`${''.padEnd(38)}${['min', 'median', 'max'].map((name) => name.padStart(9)).join('')}`];
  const [first, ...others] = [...contestants];
  for (const name of figures) {
    const { of, digits, unit } = FIGURES[name];
    for (const [who, runs] of contestants) lines.push(row(`${who} ${name}`, runs.map(of), digits, unit));
    for (const [who, runs] of first === undefined ? [] : others) {
      lines.push(
        row(`  ${who} / ${first?.[0]}`, pairRatios(runs.map(of), (first?.[1] ?? []).map(of)), 2, 'x'),
      );
    }
  }
  return `${lines.join('\n')}\n`;
}

/** Names the machine the figures are of. */
export function machineLine(): string {
  const [cpu] = cpus();
  return `${cpus().length} x ${cpu?.model ?? 'unknown'}, ${Math.round(totalmem() / 1024 ** 3)} GiB, Node ${process.version}\n`;
}
