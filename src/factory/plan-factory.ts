import { loadIgnition } from '../boot/ignition/load-ignition.ts';
import { serializeIgnition } from '../boot/ignition/parse-ignition.ts';
import { type EmbedBudget, embedBudget, USUAL_AREA_BYTES } from '../boot/iso/compress-initrd.ts';
import { inspectIso } from '../boot/iso/inspect-iso.ts';
import type { IsoImage } from '../boot/iso/iso-image.ts';
import { checkKernelLine, editKargs, type KargsBudget, kargsBudget } from '../boot/iso/kargs-text.ts';
import { EdgefabError } from '../errors.ts';
import type { Host } from '../host/host.ts';
import { type LivePhase, livePhase } from '../mirror/plan/live-phase.ts';
import { type PreloadNetwork, preloadNetwork } from '../mirror/plan/preload-network.ts';
import type { Lock } from '../mirror/resolve/lock.ts';
import type { Factory } from './factory.ts';
import type { MirrorRequest } from './mirror-request.ts';
import { missingFiles } from './missing-files.ts';
import { previewSite } from './patch-site.ts';
import { type CachePlan, type PlanOptions, planCache } from './plan-cache.ts';
import { type NetworkWay, planNetwork, takeOverKargs } from './plan-network.ts';
import { refuseUnsupported } from './refuse-unsupported.ts';
import type { LockSources } from './resolve-lock.ts';
import type { Site } from './site.ts';

const MIB = 1024 ** 2;

/** How one site's stick will come out. `problems` are in people's words. */
export interface SitePlan {
  readonly site: string;
  readonly ignition?: EmbedBudget & { readonly areaBytes: number };
  /** How the live system gets its network, with the files that hold it; absent without a live ISO to look into. */
  readonly network?: { readonly way: NetworkWay; readonly files: readonly string[] };
  readonly kargs: readonly string[];
  readonly kargsBudget?: KargsBudget;
  /** What its live phase takes of its machine's RAM, in the mode it has. */
  readonly livePhase: LivePhase;
  /** What it still pulls from a network; absent in mode registry, which pulls nothing. */
  readonly preloadNetwork?: PreloadNetwork;
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
  host: Pick<Host, 'now' | 'randomBytes'>,
): Promise<FactoryPlan> {
  const mode = factory.sites.some(({ cache }) => cache.mode === 'registry') ? 'registry' : 'preload';
  const { cachePlan, lock } = await planCache(request, sources, { ...options, mode });
  const absent = await missingFiles(factory);
  const sites: SitePlan[] = [];
  const everywhere = absent.map(
    ({ path, place }) => `${path} is missing (${place.field ?? 'named in the factory'})`,
  );
  const liveIso = absent.some(({ place }) => place.field === 'media.liveIso')
    ? undefined
    : factory.media?.liveIso;
  const iso = liveIso === undefined ? undefined : await attempt(() => inspectIso(liveIso), everywhere);
  for (const site of factory.sites) sites.push(await planSite(factory, site, lock, iso, host));
  return {
    ...cachePlan,
    sites: sites.map((site) => ({ ...site, problems: [...site.problems, ...everywhere] })),
  };
}

/** Does what may be refused; a refusal becomes one of the problems. */
async function attempt<T>(work: () => Promise<T> | T, problems: string[]): Promise<T | undefined> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof EdgefabError)) throw error;
    problems.push(error.message);
    return undefined;
  }
}

async function planSite(
  factory: Factory,
  site: Site,
  lock: Lock,
  iso: IsoImage | undefined,
  host: Pick<Host, 'now' | 'randomBytes'>,
): Promise<SitePlan> {
  const problems: string[] = [];
  await attempt(() => refuseUnsupported(site), problems);
  const features = iso?.features;
  const network =
    features === undefined ? undefined : await attempt(() => planNetwork(site, features), problems);
  const patched = await attempt(async () => {
    if (site.ignition === undefined) return undefined;
    const options = { lock, cacheId: undefined, features: features ?? { liveInitrdNetwork: true } };
    return await previewSite(factory, site, await loadIgnition(site.ignition), options, host);
  }, problems);
  const ignition = await attempt(async () => {
    if (patched === undefined) return undefined;
    const areaBytes = iso?.ignition.sizeBytes ?? USUAL_AREA_BYTES;
    const bytes = serializeIgnition(patched.ignition);
    return { ...(await embedBudget(bytes, areaBytes, network?.networkFiles)), areaBytes };
  }, problems);
  const takeOver =
    network === undefined || patched === undefined ? [] : takeOverKargs(network, patched.ignition);
  const append = [...(network?.kargs ?? []), ...takeOver, ...site.kargs.append];
  if (ignition !== undefined && ignition.compressedBytes > ignition.areaBytes) {
    problems.push(
      `its Ignition needs ${ignition.compressedBytes} bytes, the embed area holds ${ignition.areaBytes}`,
    );
  }
  const budget = await attempt(() => planKargs(iso, append, site.kargs.delete), problems);
  if (budget !== undefined && budget.usedBytes > budget.capacityBytes) {
    problems.push(
      `its kernel arguments need ${budget.usedBytes} bytes, the area holds ${budget.capacityBytes}`,
    );
  }
  const ram = livePhase(lock.images, { version: lock.release?.version, mode: site.cache.mode });
  const { ramMiB } = site.machine;
  if (ramMiB !== undefined && ramMiB * MIB < ram.ramBytes)
    problems.push(
      `its machine has ${ramMiB} MiB of RAM; the live phase is estimated to need ${mebibytes(ram.ramBytes)}`,
    );
  const pulls = site.cache.mode === 'preload' ? preloadNetwork(lock) : undefined;
  if (pulls !== undefined) problems.push(needsNetwork(pulls));
  return {
    site: site.name,
    ...(network === undefined
      ? {}
      : { network: { way: network.way, files: network.keyfiles.map(({ name }) => name) } }),
    kargs: append,
    livePhase: ram,
    ...(pulls === undefined ? {} : { preloadNetwork: pulls }),
    ...(budget === undefined ? {} : { kargsBudget: budget }),
    problems,
    ...(ignition === undefined ? {} : { ignition }),
  };
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / MIB)} MiB`;
}

function needsNetwork({
  osBytes,
  osTimes,
  machineConfigBytes,
  releaseBytes,
  totalBytes,
}: PreloadNetwork): string {
  const os = `the operating system, ${osTimes === 1 ? '' : `${osTimes} times `}${mebibytes(osBytes)}`;
  const rest = `machine-config-operator, ${mebibytes(machineConfigBytes)}; the release image, ${mebibytes(releaseBytes)}`;
  return `cache mode preload does not install without a network: up to ${mebibytes(totalBytes)} are still pulled from one (${os}; ${rest}); mode registry pulls nothing`;
}

function planKargs(
  iso: IsoImage | undefined,
  append: readonly string[],
  remove: readonly string[],
): KargsBudget | undefined {
  if (iso?.kargs === undefined) return undefined;
  const line = editKargs(iso.kargs.default, { append, delete: remove });
  checkKernelLine(line);
  return kargsBudget(line, iso.kargs.capacityBytes);
}
