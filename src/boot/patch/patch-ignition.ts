import { EdgefabError } from '../../errors.ts';
import { assertBip } from '../ignition/bip.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { releaseImage } from '../ignition/release-image.ts';
import type { RepositoryMirror } from '../install-config/repository-mirror.ts';
import type { Keyfile } from '../network/render-keyfiles.ts';
import { catalogSourcesStep } from './catalog-sources.ts';
import { hostnameStep } from './hostname.ts';
import { keepCacheStep } from './keep-cache.ts';
import { type LocalDnsSettings, localDnsStep } from './local-dns.ts';
import { networkStep } from './network.ts';
import { ntpStep } from './ntp.ts';
import { operatorHubStep } from './operator-hub.ts';
import { loadOverlays, type Overlays } from './overlay.ts';
import { joinOwnContent, type OwnContent } from './own-content.ts';
import { preloadInstalled } from './preload-installed.ts';
import { checkPreloadSettings, type PreloadImage, type PreloadSettings } from './preload-list.ts';
import { preloadLive } from './preload-live.ts';
import type { RegistryCertificates } from './registry-certificates.ts';
import { registryInstalled } from './registry-installed.ts';
import { registryLive } from './registry-live.ts';
import { registryMirrorsStep } from './registry-mirrors.ts';
import type { RegistrySettings } from './registry-settings.ts';
import { reinstallGuardStep } from './reinstall-guard.ts';
import { releaseCacheStep } from './release-cache.ts';
import { releaseVersionOf } from './release-version-of.ts';
import { savePartlabel } from './save-partlabel.ts';
import type { SiteSettings } from './site-settings.ts';
import { statusLineStep } from './status-line.ts';
import { applyStep, type Step, type StepReport } from './step.ts';
import type { TaggedImage } from './tag-mirrors.ts';
import { type ManifestFile, manifestsStep } from './user-manifests.ts';
import { overlaysStep } from './user-overlays.ts';

/** How a registry on the machine serves its cache: what it is told, shows itself with, and stands for. */
export interface RegistryDelivery {
  readonly settings: Omit<RegistrySettings, 'releaseImage'>;
  readonly certificates: RegistryCertificates;
  readonly repositories: readonly RepositoryMirror[];
  readonly tagged: readonly TaggedImage[];
  /** HOST/PATH@sha256:HEX of each catalog in the cache. */
  readonly catalogs: readonly string[];
}

export interface PatchOptions {
  readonly hostname: string;
  /** What the machine is told of its build: which it is, and the disks it concerns. */
  readonly build: SiteSettings;
  readonly cacheMode: 'preload' | 'registry';
  /** What the machine loads from its cache disk; undefined: nothing is preloaded, and the report says so. */
  readonly images?: readonly PreloadImage[] | undefined;
  /** In cache mode `registry`, what serves the cache on the machine. */
  readonly registry?: RegistryDelivery;
  /** The release, such as 4.18.9: what is written differs by it in registry mode and with overlays. */
  readonly version?: string;
  /** Partition label of the cache disk; `edgefab` unless given. */
  readonly cacheLabel?: string;
  /** The id in the cache's `edgefab-cache.json`; without it any edgefab cache is taken. */
  readonly cacheId?: string;
  /** Whether the install keeps a cache partition on the target disk; it does unless told not to. */
  readonly keepPartition?: boolean;
  /** Partition label the install keeps; `edgefab-node` unless given. */
  readonly savePartlabel?: string;
  /** NetworkManager keyfiles of the installed node; without any it asks DHCP. */
  readonly network?: readonly Keyfile[];
  /** The names of the cluster, answered on the node itself; undefined: the site's DNS server knows them. */
  readonly localDns?: LocalDnsSettings;
  readonly ntpServers?: readonly string[];
  /** The user's own manifests. */
  readonly manifests?: readonly ManifestFile[];
  /** Paths of the user's own Butane files. */
  readonly userOverlays?: readonly string[];
  /** Another folder with the files of `overlays/`. */
  readonly overlays?: string;
  /** Has the report tell each step at length, with what differs by each change. */
  readonly explain?: boolean;
}

export interface PatchResult {
  readonly ignition: Ignition;
  readonly report: readonly StepReport[];
  /** What of it is the user's own. */
  readonly own: OwnContent;
}

type StepMaker = (ignition: Ignition, options: PatchOptions, overlays: Overlays) => Step | Promise<Step>;

function skipped(name: string, why: string, reason: string): Step {
  return { name, why, changes: [], skipped: reason };
}

function preloadSettings(ignition: Ignition, options: PatchOptions): PreloadSettings | undefined {
  if (options.images === undefined) return undefined;
  const settings: PreloadSettings = {
    images: options.images,
    cacheLabel: options.cacheLabel ?? 'edgefab',
    cacheId: options.cacheId,
    releaseImage: releaseImage(ignition),
  };
  checkPreloadSettings(settings);
  return settings;
}

const NO_LIST = 'no image list was given: this machine pulls its images from the network';

const PRELOAD_STEPS: readonly StepMaker[] = [
  (ignition, options, overlays) => {
    const settings = preloadSettings(ignition, options);
    if (settings !== undefined) return preloadLive(ignition, settings, overlays);
    return skipped('preload-live', 'the bootstrap finds its images in the store', NO_LIST);
  },
  (ignition, options, overlays) => {
    const settings = preloadSettings(ignition, options);
    if (settings !== undefined) return preloadInstalled(settings, overlays);
    return skipped('preload-installed', 'the installed node finds its images in the store', NO_LIST);
  },
];

function registrySteps(
  { settings, certificates, repositories, tagged, catalogs }: RegistryDelivery,
  version: string,
): readonly StepMaker[] {
  const { port } = settings;
  const { caPem } = certificates;
  const whole = (ignition: Ignition): RegistrySettings => ({
    ...settings,
    releaseImage: releaseImage(ignition),
  });
  return [
    (ignition) => registryMirrorsStep(ignition, { port, repositories, tagged, caPem, version }),
    (ignition, _options, overlays) => registryLive(ignition, whole(ignition), certificates, overlays),
    (ignition, _options, overlays) => registryInstalled(whole(ignition), certificates, overlays),
    (_ignition, { build }, overlays) => releaseCacheStep(build, overlays),
    (_ignition, { build: { location } }, overlays) =>
      keepCacheStep({ location, keepOnNode: settings.keepOnNode }, overlays),
    (ignition) => operatorHubStep(ignition, { version }),
    (ignition) => catalogSourcesStep(ignition, { catalogs, version }),
  ];
}

const COMMON_STEPS: readonly StepMaker[] = [
  (ignition, _options, overlays) => reinstallGuardStep(ignition, overlays),
  (_ignition, { build }, overlays) => statusLineStep(build, overlays),
  (_ignition, { hostname }) => hostnameStep(hostname),
  (_ignition, { network = [] }) => networkStep(network),
  (_ignition, { localDns }, overlays) =>
    localDns === undefined
      ? skipped('local-dns', 'api, api-int and *.apps are found', 'the site has a DNS server that knows them')
      : localDnsStep(localDns, overlays),
  (_ignition, { ntpServers = [] }) =>
    ntpServers.length === 0
      ? skipped('ntp', 'the machine knows the time', 'no time server was given')
      : ntpStep(ntpServers),
  (ignition, { keepPartition, savePartlabel: label = 'edgefab-node' }) =>
    keepPartition === false
      ? skipped('save-partlabel', 'the install keeps a cache partition', 'no partition is to be kept')
      : savePartlabel(ignition, label),
  (ignition, { manifests = [] }) =>
    manifests.length === 0
      ? skipped('manifests', "the user's own manifests reach the cluster", 'none were given')
      : manifestsStep(ignition, manifests),
  // Last, as an overlay may change what the steps before it wrote.
  async (ignition, { userOverlays = [], version }) =>
    userOverlays.length === 0
      ? skipped('overlays', "the user's own Butane files are merged", 'none were given')
      : await overlaysStep(ignition, userOverlays, { version: knownVersion(version) }),
];

function knownVersion(version: string | undefined): string {
  if (version !== undefined) return releaseVersionOf(version).text;
  throw new EdgefabError(
    'which release this config installs is not known, and what is written depends on it',
    {
      code: 'RELEASE_UNKNOWN',
      suggestions: ['Say it with --release, for example --release 4.18.9; in a factory with release.version'],
    },
  );
}

function stepsFor({ cacheMode, registry, version }: PatchOptions): readonly StepMaker[] {
  if (cacheMode === 'preload') return [...PRELOAD_STEPS, ...COMMON_STEPS];
  if (registry === undefined) {
    throw new EdgefabError(
      'cache mode registry needs a cache: nothing is known of what the machine is to serve',
      {
        code: 'USAGE_INVALID',
        suggestions: ['Name the cache with --cache DIR, or use --cache-mode preload'],
      },
    );
  }
  return [...registrySteps(registry, knownVersion(version)), ...COMMON_STEPS];
}

/**
 * Patches a bootstrap-in-place config by small named steps, each of which says what it changed and why.
 * Patching what is patched already with the same options gives the same bytes. Throws IGNITION_NOT_BIP,
 * USAGE_INVALID, RELEASE_UNKNOWN, what the steps throw, and INSTALLER_TEXT_UNKNOWN when a step does not know the
 * text it builds on.
 */
export async function patchIgnition(ignition: Ignition, options: PatchOptions): Promise<PatchResult> {
  assertBip(ignition);
  const steps = stepsFor(options);
  const overlays = await loadOverlays(options.overlays);
  const report: StepReport[] = [];
  const own: OwnContent[] = [];
  let current = ignition;
  for (const makeStep of steps) {
    const step = await makeStep(current, options, overlays);
    const applied = applyStep(current, step, options);
    current = applied.ignition;
    report.push(applied.report);
    if (step.own !== undefined) own.push(step.own);
  }
  return { ignition: current, report, own: joinOwnContent(own) };
}
