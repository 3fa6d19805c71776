import { loadIgnition } from '../boot/ignition/load-ignition.ts';
import { serializeIgnition } from '../boot/ignition/parse-ignition.ts';
import { type EmbedBudget, embedBudget, USUAL_AREA_BYTES } from '../boot/iso/compress-initrd.ts';
import { patchIgnition } from '../boot/patch/patch-ignition.ts';
import { EdgefabError } from '../errors.ts';
import type { LivePhase } from '../mirror/plan/live-phase.ts';
import type { Lock } from '../mirror/resolve/lock.ts';
import type { Factory } from './factory.ts';
import type { MirrorRequest } from './mirror-request.ts';
import { missingFiles } from './missing-files.ts';
import { networkKargs } from './network.ts';
import { type CachePlan, type PlanOptions, planCache } from './plan-cache.ts';
import { preloadImages } from './preload-images.ts';
import { refuseUnsupported } from './refuse-unsupported.ts';
import type { LockSources } from './resolve-lock.ts';
import type { Site } from './site.ts';

const MIB = 1024 ** 2;

/** How one site's stick will come out. `problems` are in people's words. */
export interface SitePlan {
  readonly site: string;
  readonly ignition?: EmbedBudget & { readonly areaBytes: number };
  readonly kargs: readonly string[];
  readonly problems: readonly string[];
}

export interface FactoryPlan extends CachePlan {
  readonly sites: readonly SitePlan[];
}

/** Plans a factory without changing anything on disk: what to fetch, whether it fits, what each stick will hold. */
export async function planFactory(
  factory: Factory,
  request: MirrorRequest,
  sources: LockSources,
  options: PlanOptions,
): Promise<FactoryPlan> {
  const { cachePlan, lock } = await planCache(request, sources, options);
  const absent = await missingFiles(factory);
  const sites: SitePlan[] = [];
  for (const site of factory.sites) sites.push(await planSite(site, lock, cachePlan.livePhase));
  const everywhere = absent.map(
    ({ path, place }) => `${path} is missing (${place.field ?? 'named in the factory'})`,
  );
  return {
    ...cachePlan,
    sites: sites.map((site) => ({ ...site, problems: [...site.problems, ...everywhere] })),
  };
}

async function planSite(site: Site, lock: Lock, { ramBytes }: LivePhase): Promise<SitePlan> {
  const problems: string[] = [];
  const attempt = async <T>(work: () => Promise<T> | T): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof EdgefabError)) throw error;
      problems.push(error.message);
      return undefined;
    }
  };
  await attempt(() => refuseUnsupported(site));
  const kargs = (await attempt(() => networkKargs(site))) ?? [];
  const ignition = await attempt(async () => {
    if (site.ignition === undefined) return undefined;
    const patched = await patchIgnition(await loadIgnition(site.ignition), {
      hostname: site.hostname,
      cacheMode: site.cache.mode,
      images: preloadImages(lock),
    });
    return { ...(await embedBudget(serializeIgnition(patched.ignition))), areaBytes: USUAL_AREA_BYTES };
  });
  if (ignition !== undefined && ignition.compressedBytes > ignition.areaBytes) {
    problems.push(
      `its Ignition needs ${ignition.compressedBytes} bytes, the embed area holds ${ignition.areaBytes}`,
    );
  }
  const { ramMiB } = site.machine;
  if (ramMiB !== undefined && ramMiB * MIB < ramBytes) {
    problems.push(
      `its machine has ${ramMiB} MiB of RAM; the live phase is estimated to need ${Math.ceil(ramBytes / MIB)} MiB`,
    );
  }
  return {
    site: site.name,
    kargs: [...kargs, ...site.kargs.append],
    problems,
    ...(ignition === undefined ? {} : { ignition }),
  };
}
