import type { Writable } from 'node:stream';
import type { Host } from '../../host/host.ts';
import type { EmbedBudget } from './compress-initrd.ts';
import { editInPlace } from './edit-in-place.ts';
import type { IsoImage } from './iso-image.ts';
import { type IsoSource, openIsoSource } from './iso-source.ts';
import { writePatchedCopy } from './patched-copy.ts';
import {
  type KargsPlan,
  planSiteIso,
  type Region,
  type SiteContent,
  type SiteIsoPlan,
} from './plan-site-iso.ts';
import { refuseTarget } from './refuse-target.ts';
import { streamPatched } from './site-iso-stream.ts';
import { verifyRegionMeaning, verifySiteIso } from './verify-site-iso.ts';

export interface SiteIsoOptions extends SiteContent {
  /** The live ISO as downloaded, or what `openIsoSource` made of it for many copies; it is only read. */
  readonly source: string | IsoSource;
  readonly target: string;
  /** Replaces a file that is already at the target. */
  readonly overwrite?: boolean;
  /** The source is a temporary of `openPartial` for this target: it becomes the target. */
  readonly adopt?: boolean;
  /** Told of the copy when it is whole and checked, before it gets its name. */
  readonly onChecked?: (copy: CheckedCopy) => Promise<void>;
}

/** A copy that was read back; `path` is its name for the time being. */
export interface CheckedCopy {
  readonly path: string;
  readonly regions: readonly Region[];
  /** Outside the regions the copy has the very blocks of the source. */
  readonly sharesBlocks: boolean;
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

function receiptOf(
  { path, sizeBytes, volumeId }: IsoImage,
  target: string,
  { ignition, kargs }: SiteIsoPlan,
): IsoReceipt {
  return {
    source: path,
    target,
    sizeBytes,
    volumeId,
    ...(ignition === undefined
      ? {}
      : { ignition: { ...ignition, files: [...ignition.files.keys()].sort() } }),
    ...(kargs === undefined ? {} : { kargs }),
  };
}

/**
 * Builds a site's ISO: a copy of the live ISO with Ignition, network files and kernel arguments in its embed
 * areas, read back before it gets its name; the source must be unchanged then. Same inputs, same bytes. Throws what
 * `openIsoSource` and `planSiteIso` throw, ISO_CHANGED, TARGET_EXISTS, DISK_FULL, FILESYSTEM_UNFIT,
 * ISO_READBACK_MISMATCH.
 */
export async function buildSiteIso(
  options: SiteIsoOptions,
  host: Pick<Host, 'randomBytes'>,
): Promise<IsoReceipt> {
  const { target, overwrite = false, adopt = false } = options;
  const source = typeof options.source === 'string' ? await openIsoSource(options.source) : options.source;
  const { image } = source;
  await refuseTarget(target, image.path, overwrite);
  const plan = await planSiteIso(image, options, source);
  await writePatchedCopy(
    {
      source: image.path,
      target,
      sizeBytes: image.sizeBytes,
      regions: plan.regions,
      check: async (path, sharesBlocks) => {
        if (!adopt) await source.assertUnchanged();
        await verifySiteIso(path, plan);
        await options.onChecked?.({ path, regions: plan.regions, sharesBlocks });
      },
      adopt,
    },
    host,
  );
  return receiptOf(image, target, plan);
}

/**
 * Writes a site's content into the ISO itself, its areas only. Throws what `openIsoSource`, `planSiteIso` and
 * `editInPlace` throw, and ISO_READBACK_MISMATCH, with the ISO as it was before.
 */
export async function embedInPlace(path: string, content: SiteContent): Promise<IsoReceipt> {
  const source = await openIsoSource(path);
  const plan = await planSiteIso(source.image, content, source);
  await source.assertUnchanged();
  await editInPlace(path, plan.regions, (written) => verifySiteIso(written, plan));
  return receiptOf(source.image, path, plan);
}

/**
 * Streams a site's ISO to a sink, which stays open; `target` names the sink. What cannot be read back is unpacked and
 * compared before the first byte goes out. Throws what `openIsoSource`, `planSiteIso` and `streamPatched` throw.
 */
export async function streamSiteIso(
  content: SiteContent & { readonly source: string; readonly target: string },
  sink: Writable,
  signal: AbortSignal,
): Promise<IsoReceipt> {
  const source = await openIsoSource(content.source);
  const plan = await planSiteIso(source.image, content, source);
  await verifyRegionMeaning(source.image, plan);
  await streamPatched(source, plan.regions, sink, signal);
  return receiptOf(source.image, content.target, plan);
}
