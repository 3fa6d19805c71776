import { lstat, stat } from 'node:fs/promises';
import { EdgefabError, hasCode } from '../../errors.ts';
import type { Host } from '../../host/host.ts';
import type { EmbedBudget } from './compress-initrd.ts';
import { inspectIso } from './inspect-iso.ts';
import { writePatchedCopy } from './patched-copy.ts';
import { type KargsPlan, planSiteIso, type SiteContent } from './plan-site-iso.ts';
import { verifySiteIso } from './verify-site-iso.ts';

export interface SiteIsoOptions extends SiteContent {
  /** The live ISO as downloaded; it is only read. */
  readonly source: string;
  readonly target: string;
  /** Replaces a file that is already at the target. */
  readonly overwrite?: boolean;
}

/** What was written. `files` are the paths in the Ignition area, sorted. */
export interface IsoReceipt {
  readonly source: string;
  readonly target: string;
  readonly sizeBytes: number;
  readonly volumeId: string;
  readonly ignition?: EmbedBudget & { readonly areaBytes: number; readonly files: readonly string[] };
  readonly kargs?: KargsPlan;
}

async function refuseTarget({ source, target, overwrite = false }: SiteIsoOptions): Promise<void> {
  let found: Awaited<ReturnType<typeof lstat>>;
  try {
    found = await lstat(target);
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return;
    throw error;
  }
  const [from, to] = await Promise.all([stat(source), stat(target).catch(() => found)]);
  if (from.dev === to.dev && from.ino === to.ino) {
    throw new EdgefabError(`${target} is the source ISO itself: want another file, the source is only read`, {
      code: 'USAGE_INVALID',
      place: { file: target },
    });
  }
  if (!found.isFile()) {
    throw new EdgefabError(`${target} is there and is no regular file`, {
      code: 'TARGET_EXISTS',
      place: { file: target },
      suggestions: ['Write an ISO file first, then put it on the stick with edgefab iso write'],
    });
  }
  if (!overwrite) {
    throw new EdgefabError(`${target} is already there`, { code: 'TARGET_EXISTS', place: { file: target } });
  }
}

/**
 * Builds a site's ISO: a copy of the live ISO with Ignition, network files and kernel arguments in its embed
 * areas, read back before it gets its name. Same inputs, same bytes. Throws what `inspectIso` and `planSiteIso`
 * throw, TARGET_EXISTS, DISK_FULL, FILESYSTEM_UNFIT, ISO_READBACK_MISMATCH.
 */
export async function buildSiteIso(
  options: SiteIsoOptions,
  host: Pick<Host, 'randomBytes'>,
): Promise<IsoReceipt> {
  const { source, target } = options;
  const iso = await inspectIso(source);
  await refuseTarget(options);
  const plan = await planSiteIso(iso, options);
  await writePatchedCopy(
    {
      source,
      target,
      sizeBytes: iso.sizeBytes,
      regions: plan.regions,
      check: (path) => verifySiteIso(path, plan),
    },
    host,
  );
  const { ignition, kargs } = plan;
  return {
    source,
    target,
    sizeBytes: iso.sizeBytes,
    volumeId: iso.volumeId,
    ...(ignition === undefined
      ? {}
      : { ignition: { ...ignition, files: [...ignition.files.keys()].sort() } }),
    ...(kargs === undefined ? {} : { kargs }),
  };
}
