import { EdgefabError } from '../../errors.ts';
import { assertBip } from '../ignition/bip.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { releaseImage } from '../ignition/release-image.ts';
import type { Keyfile } from '../network/render-keyfiles.ts';
import { hostnameStep } from './hostname.ts';
import { networkStep } from './network.ts';
import { loadOverlays, type Overlays } from './overlay.ts';
import { preloadInstalled } from './preload-installed.ts';
import { checkPreloadSettings, type PreloadImage, type PreloadSettings } from './preload-list.ts';
import { preloadLive } from './preload-live.ts';
import { savePartlabel } from './save-partlabel.ts';
import { applyStep, type Step, type StepReport } from './step.ts';

export interface PatchOptions {
  readonly hostname: string;
  readonly cacheMode: 'preload' | 'registry';
  /** What the machine loads from its cache disk; undefined: nothing is preloaded, and the report says so. */
  readonly images: readonly PreloadImage[] | undefined;
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
  /** Another folder with the files of `overlays/`. */
  readonly overlays?: string;
}

export interface PatchResult {
  readonly ignition: Ignition;
  readonly report: readonly StepReport[];
}

type StepMaker = (ignition: Ignition, options: PatchOptions, overlays: Overlays) => Step;

function skipped(name: string, why: string, reason: string): Step {
  return { name, why, changes: [], skipped: reason };
}

function settingsOf(ignition: Ignition, options: PatchOptions): PreloadSettings | undefined {
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

const STEPS: readonly StepMaker[] = [
  (ignition, options, overlays) => {
    const settings = settingsOf(ignition, options);
    if (settings !== undefined) return preloadLive(ignition, settings, overlays);
    return skipped('preload-live', 'the bootstrap finds its images in the store', NO_LIST);
  },
  (ignition, options, overlays) => {
    const settings = settingsOf(ignition, options);
    if (settings !== undefined) return preloadInstalled(settings, overlays);
    return skipped('preload-installed', 'the installed node finds its images in the store', NO_LIST);
  },
  (_ignition, options) => hostnameStep(options.hostname),
  (_ignition, options) => networkStep(options.network ?? []),
  (ignition, options) => {
    const label = options.savePartlabel ?? 'edgefab-node';
    if (options.keepPartition !== false) return savePartlabel(ignition, label);
    return skipped('save-partlabel', 'the install keeps a cache partition', 'no partition is to be kept');
  },
];

/**
 * Patches a bootstrap-in-place config by small named steps, each of which says what it changed and why.
 * Patching what is patched already with the same options gives the same bytes. Throws IGNITION_NOT_BIP,
 * MODE_UNSUPPORTED, USAGE_INVALID, and INSTALLER_TEXT_UNKNOWN when a step does not know the text it builds on.
 */
export async function patchIgnition(ignition: Ignition, options: PatchOptions): Promise<PatchResult> {
  if (options.cacheMode !== 'preload') {
    throw new EdgefabError(`cache mode ${options.cacheMode} is not there yet; preload is what exists today`, {
      code: 'MODE_UNSUPPORTED',
      suggestions: [
        'Use --cache-mode preload (in factory.yaml: cache.mode: preload); the site then still needs its network for what is not in the store',
      ],
    });
  }
  assertBip(ignition);
  const overlays = await loadOverlays(options.overlays);
  const report: StepReport[] = [];
  let current = ignition;
  for (const makeStep of STEPS) {
    const applied = applyStep(current, makeStep(current, options, overlays));
    current = applied.ignition;
    report.push(applied.report);
  }
  return { ignition: current, report };
}
