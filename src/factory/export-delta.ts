import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { holdsFileOf } from '../disk/cache/assert-holds-cache.ts';
import { assertSpace } from '../disk/cache/folder-space.ts';
import { EdgefabError } from '../errors.ts';
import { type DeltaOptions, type DeltaPlan, planDelta } from '../mirror/store/delta/plan-delta.ts';
import {
  type DeltaFile,
  partPaths,
  type WriteDeltaOptions,
  writeDelta,
} from '../mirror/store/delta/write-delta.ts';

export interface ExportOptions extends DeltaOptions, WriteDeltaOptions {
  /** Told once, before the first byte is written. */
  readonly onPlan?: (plan: DeltaPlan) => void;
}

export interface ExportOutcome {
  readonly plan: DeltaPlan;
  readonly files: readonly DeltaFile[];
}

/**
 * Writes what a cache has and a lock does not name to a delta archive at a path. Refuses to replace files, and checks
 * the room for all parts before the first byte. Throws TARGET_EXISTS, SPACE_SHORT, FILESYSTEM_UNFIT.
 */
export async function exportDelta(
  folder: string,
  path: string,
  options: ExportOptions,
): Promise<ExportOutcome> {
  const plan = await planDelta(folder, options);
  for (const target of partPaths(path, plan.parts.length)) {
    if ((await stat(target).catch(() => undefined)) === undefined) continue;
    throw new EdgefabError(`${target} exists already`, {
      code: 'TARGET_EXISTS',
      suggestions: ['Remove it, or choose another name'],
      place: { file: target },
    });
  }
  const largest = Math.max(...plan.parts);
  const { existing } = await assertSpace(
    dirname(path),
    plan.parts.reduce((sum, bytes) => sum + bytes, 0),
  );
  if (!(await holdsFileOf(existing, largest))) {
    throw new EdgefabError(
      `the file system at ${dirname(path)} (FAT) cannot hold a file of ${largest} bytes`,
      {
        code: 'FILESYSTEM_UNFIT',
        suggestions: ['Use --split 4GB'],
        place: { file: path },
      },
    );
  }
  options.onPlan?.(plan);
  return { plan, files: await writeDelta(folder, plan, path, options) };
}
