import type { Butane } from 'butane-wasm';
import { EdgefabError, hasCode } from '../../errors.ts';
import { BUTANE_WASM, isExecutable, packagedText, readPackaged, workerAsset } from '../../packaged.ts';

let carried: Butane | undefined;

/** Opens the packaged Butane and Ignition; loaded on first use, since most commands need neither. */
export async function openButane(): Promise<Butane> {
  const { createButane, translate, validate, merge } = await import('butane-wasm');
  if (!isExecutable) return { translate, validate, merge };
  carried ??= createButane({
    carried: {
      wasm: () => readPackaged(BUTANE_WASM),
      workerSource: packagedText(workerAsset('wasm-worker')),
    },
  });
  return carried;
}

/** Tells whether an error says that the engine is not there: not built, and no program to take its place. */
export function isUnavailable(error: unknown): boolean {
  return hasCode(error, 'IGNITION_UNAVAILABLE') || hasCode(error, 'BUTANE_UNAVAILABLE');
}

/** Makes the refusal of work that needs an engine which is not there, saying how to get one. */
export function engineMissing(work: string, cause: unknown): EdgefabError {
  const needsMerge = hasCode(cause, 'IGNITION_UNAVAILABLE');
  return new EdgefabError(
    `${work} needs ${needsMerge ? "Ignition's WebAssembly, which this installation was built without" : 'Butane, which is not here'}`,
    {
      code: 'TOOL_MISSING',
      suggestions: [
        'Install Go 1.24 or newer and run npm run build, or use a published edgefab package, which has it inside',
        ...(needsMerge ? [] : ['Or put a butane program on PATH, or name one in the variable BUTANE']),
      ],
      cause,
    },
  );
}
