import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { figureTable, machineLine } from './figures.ts';
import { interleave } from './interleave.ts';
import { measureProcess } from './measure-process.ts';

export const summary = 'edgefab --version against an empty program that imports @oclif/core';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const EMPTY = "await import('@oclif/core');";

/** Measures how long edgefab takes to start, beside the least that any oclif program takes. */
export async function run(args: readonly string[]): Promise<void> {
  const { values } = parseArgs({ args: [...args], options: { runs: { type: 'string', default: '20' } } });
  const measure = (command: readonly string[]) =>
    measureProcess([process.execPath, ...command], {
      cwd: ROOT,
      env: { PATH: process.env.PATH ?? '', HOME: '/nonexistent' },
    });
  const figures = await interleave(
    [
      { name: 'empty', run: () => measure(['--input-type=module', '--eval', EMPTY]) },
      { name: 'edgefab', run: () => measure(['bin/edgefab.js', '--version']) },
    ],
    { runs: Number(values.runs), warmUp: true },
  );
  process.stdout.write(machineLine());
  process.stdout.write(figureTable(figures));
}
