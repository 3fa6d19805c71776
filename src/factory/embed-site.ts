import { join } from 'node:path';
import type { Ignition } from '../boot/ignition/ignition.ts';
import { serializeIgnition } from '../boot/ignition/parse-ignition.ts';
import { buildSiteIso, type IsoReceipt } from '../boot/iso/build-site-iso.ts';
import { planSiteIso, type SiteContent } from '../boot/iso/plan-site-iso.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import type { Build } from './open-build.ts';
import type { PatchedSite } from './patch-site.ts';
import { takeOverKargs } from './plan-network.ts';
import type { Site } from './site.ts';
import { keepSiteFiles } from './spill/keep-site-files.ts';
import { type SpilledSite, spillSite } from './spill/spill-site.ts';

/** A site's ISO, and what its config had no room for; undefined when everything fits. */
export interface EmbeddedSite {
  readonly iso: IsoReceipt;
  /** Of the whole ISO, in hex. */
  readonly sha256: string;
  readonly spilled: Pick<SpilledSite, 'report' | 'files'> | undefined;
}

export interface EmbedSiteOptions {
  /** Where the ISO goes. */
  readonly folder: string;
  /** Moves bulk files to the cache when the config does not fit. */
  readonly spill: boolean;
}

/**
 * Embeds a site's config into its ISO. Files moved to the cache are there, durably, before an ISO that needs them has
 * a name. Throws what `buildSiteIso`, `spillSite` and `keepSiteFiles` throw.
 */
export async function embedSite(
  build: Build,
  site: Site,
  patched: PatchedSite,
  { folder, spill }: EmbedSiteOptions,
  host: Pick<Host, 'randomBytes' | 'now' | 'sleep'>,
): Promise<EmbeddedSite> {
  const { factory, liveIso, hasher, cacheWriter } = build;
  const content = (ignition: Ignition): SiteContent => siteContent(build, site, patched, ignition);
  const target = join(folder, `${site.name}.iso`);
  const embed = (ignition: Ignition) => embedHashed(build, target, content(ignition), host);
  try {
    return { ...(await embed(patched.ignition)), spilled: undefined };
  } catch (error) {
    if (!isOverfull(error)) throw error;
    const overfull = (ignition: Ignition) =>
      overfullBy(() => planSiteIso(liveIso.image, content(ignition), liveIso));
    const spilled = await spillSite(factory, site, patched, { error, asked: spill }, overfull);
    await cacheWriter(() => keepSiteFiles(factory.paths.cache, site.name, spilled.files, hasher, host));
    return { ...(await embed(spilled.ignition)), spilled };
  }
}

async function embedHashed(
  { liveIso, hasher }: Build,
  target: string,
  content: SiteContent,
  host: Pick<Host, 'randomBytes'>,
): Promise<Pick<EmbeddedSite, 'iso' | 'sha256'>> {
  let digest: string | undefined;
  const iso = await buildSiteIso(
    {
      ...content,
      source: liveIso,
      target,
      overwrite: true,
      onChecked: async ({ path, regions, sharesBlocks }) => {
        // Shared blocks are in memory once, as the source's: read through the copy they would come from the disk again.
        digest = sharesBlocks
          ? await hasher.hashPatched(liveIso.image.path, regions)
          : await hasher.hash(path, () => undefined);
      },
    },
    host,
  );
  if (digest === undefined) throw new RangeError('a copy that was not checked got its name');
  return { iso, sha256: digest.slice('sha256:'.length) };
}

function isOverfull(error: unknown): error is EdgefabError {
  return error instanceof EdgefabError && error.code === 'EMBED_AREA_FULL';
}

async function overfullBy(plan: () => Promise<unknown>): Promise<EdgefabError | undefined> {
  try {
    await plan();
    return undefined;
  } catch (error) {
    if (isOverfull(error)) return error;
    throw error;
  }
}

function siteContent(
  { liveIso }: Build,
  site: Site,
  { network, ignition: patched }: PatchedSite,
  ignition: Ignition,
): SiteContent {
  const kargs = {
    append: [...network.kargs, ...takeOverKargs(network, patched), ...site.kargs.append],
    delete: site.kargs.delete,
  };
  return {
    ignition: serializeIgnition(ignition),
    ...(network.networkFiles === undefined ? {} : { networkFiles: network.networkFiles }),
    // An image without an area for them is still good for a site that needs none.
    ...(liveIso.image.kargs === undefined && kargs.append.length + kargs.delete.length === 0
      ? {}
      : { kargs }),
  };
}
