import type { ProcessFigures } from './measure-process.ts';

export interface Contestant {
  readonly name: string;
  /** One whole run, from a clean start. */
  readonly run: () => Promise<ProcessFigures>;
}

/** Runs each contestant in turn, A B A B …, after one run of each that is not counted when `warmUp` says so. */
export async function interleave(
  contestants: readonly Contestant[],
  { runs, warmUp }: { readonly runs: number; readonly warmUp: boolean },
): Promise<Map<string, ProcessFigures[]>> {
  const figures = new Map<string, ProcessFigures[]>(contestants.map(({ name }) => [name, []]));
  for (let round = warmUp ? -1 : 0; round < runs; round++) {
    for (const { name, run } of contestants) {
      const figure = await run();
      if (round >= 0) figures.get(name)?.push(figure);
    }
  }
  return figures;
}
