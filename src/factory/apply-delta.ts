import { mkdir } from 'node:fs/promises';
import { assertHoldsCache } from '../disk/cache/assert-holds-cache.ts';
import { assertSpace } from '../disk/cache/folder-space.ts';
import { sectorBytes } from '../disk/cache/sector-size.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { VIEW_BYTES_PER_IMAGE } from '../mirror/plan/plan.ts';
import type { CacheFile } from '../mirror/store/cache-file.ts';
import {
  type ApplyDeltaOptions,
  type ApplyPlan,
  applyDelta as copyDelta,
  planApply,
} from '../mirror/store/delta/apply-delta.ts';
import { type DeltaPart, openDelta } from '../mirror/store/delta/read-delta.ts';
import { holdCache } from '../mirror/store/hold-cache.ts';
import { loadCache } from '../mirror/store/load-cache.ts';
import { openStore } from '../mirror/store/store.ts';
import { EDGEFAB_VERSION } from './version.ts';

export interface ApplyOptions extends ApplyDeltaOptions {
  /** Told once, before the first byte is written. */
  readonly onPlan?: (plan: ApplyPlan) => void;
}

export interface ApplyOutcome {
  readonly cache: CacheFile;
  readonly images: number;
  readonly copiedBytes: number;
}

/**
 * Brings parts of a delta into a cache. Everything that can be known beforehand is checked before the first byte is
 * written: that the parts belong together, what the cache must have already, and the room. Run again after an
 * interruption, it goes on. Throws DELTA_INVALID, DELTA_BASE_MISSING, SPACE_SHORT, CACHE_BUSY, and DELTA_INCOMPLETE
 * when other parts are still to come.
 */
export async function applyDelta(
  paths: readonly string[],
  folder: string,
  options: ApplyOptions,
  host: Pick<Host, 'now' | 'flushFileSystem'>,
): Promise<ApplyOutcome> {
  const parts: DeltaPart[] = [];
  try {
    for (const path of paths) parts.push(await openDelta(path));
    return await applyParts(parts, folder, options, host);
  } finally {
    for (const part of parts) await part[Symbol.asyncDispose]();
  }
}

async function applyParts(
  parts: readonly DeltaPart[],
  folder: string,
  options: ApplyOptions,
  host: Pick<Host, 'now' | 'flushFileSystem'>,
): Promise<ApplyOutcome> {
  const [first] = parts;
  if (first === undefined) throw new EdgefabError('name a delta to apply', { code: 'USAGE_INVALID' });
  if (first.index.since === undefined) await mkdir(folder, { recursive: true });
  else await loadCache(folder);
  await planApply(folder, parts);
  await assertHoldsCache(folder);
  await using _held = await holdCache(folder, 'cache apply', host);
  const plan = await planApply(folder, parts);
  const images = first.lock.images.length;
  await assertSpace(folder, plan.copyBytes + images * VIEW_BYTES_PER_IMAGE);
  options.onPlan?.(plan);
  const store = await openStore(folder, {
    writer: `edgefab/${EDGEFAB_VERSION}`,
    sectorBytes: await sectorBytes(folder),
    flush: (path) => host.flushFileSystem(path),
  });
  const cache = await copyDelta(plan, store, options);
  if (cache !== undefined) return { cache, images, copiedBytes: plan.copyBytes };
  const { absentParts } = plan;
  throw new EdgefabError(
    `part ${absentParts.join(', ')} of ${first.index.parts.length} is still to come; the cache stays what it was until then`,
    {
      code: 'DELTA_INCOMPLETE',
      suggestions: [
        'Run edgefab cache apply with the parts that are missing, in order; what is copied is kept',
      ],
      place: { file: folder },
    },
  );
}
