import type { NewFile } from '../ignition/edit-ignition.ts';
import { fileText } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { dropinChange, fileChange, unitChange } from './changes.ts';
import type { Overlays } from './overlay.ts';
import { type PreloadSettings, renderPreloadEnvironment, renderPreloadList } from './preload-list.ts';
import { type Change, type Step, textUnknown } from './step.ts';

const NAME = 'preload-live';
const DOWNLOAD_SCRIPT = '/usr/local/bin/release-image-download.sh';
const PULL_UNIT = '/etc/systemd/system/node-image-pull.service';

/** The script, settings and list of the loader for one phase, as files on the machine. */
export function preloadFiles(
  settings: PreloadSettings,
  phase: 'live' | 'installed',
  overlays: Overlays,
): NewFile[] {
  return [
    { path: '/etc/edgefab/preload.env', mode: 0o644, text: renderPreloadEnvironment(settings) },
    { path: '/etc/edgefab/images.list', mode: 0o644, text: renderPreloadList(settings.images, phase) },
    { path: '/usr/local/bin/edgefab-disk.sh', mode: 0o644, text: overlays['scripts/edgefab-disk.sh'] },
    { path: '/usr/local/bin/edgefab-preload.sh', mode: 0o755, text: overlays['scripts/edgefab-preload.sh'] },
  ];
}

/** Tells whether the stock script looks into the image store before it pulls (from 4.14 on it does). */
function looksBeforePulling(ignition: Ignition): boolean {
  const script = fileText(ignition, DOWNLOAD_SCRIPT);
  if (script?.includes('podman image exists')) return true;
  if (script?.includes('podman pull')) return false;
  throw textUnknown({
    step: NAME,
    where: ignition.where,
    path: DOWNLOAD_SCRIPT,
    expected: 'a script that runs: podman pull, with or without podman image exists before it',
    found: script?.slice(0, 2000),
    wanted: 'a drop-in for release-image.service that looks into the image store first',
  });
}

/** Makes sure release-image.service is a unit of the config that runs the script whose place a wrapper takes. */
function assertReleaseImageUnit(ignition: Ignition): void {
  const unit = ignition.units.find((each) => each.name === 'release-image.service');
  const expected = `ExecStart=${DOWNLOAD_SCRIPT}`;
  if (unit?.contents?.split('\n').includes(expected)) return;
  throw textUnknown({
    step: NAME,
    where: ignition.where,
    path: 'release-image.service',
    expected,
    found: unit?.contents,
    wanted: 'ExecStart=/usr/local/bin/edgefab-release-image.sh',
  });
}

/**
 * Plans the loading of images in the live system: before the release image is wanted and, on releases whose
 * live system first pulls its node image (4.19 on), before that. Throws INSTALLER_TEXT_UNKNOWN.
 */
export function preloadLive(ignition: Ignition, settings: PreloadSettings, overlays: Overlays): Step {
  assertReleaseImageUnit(ignition);
  const changes: Change[] = [
    ...preloadFiles(settings, 'live', overlays).map(fileChange),
    unitChange({
      name: 'edgefab-preload.service',
      enabled: true,
      contents: overlays['live/edgefab-preload.service'],
    }),
    dropinChange('release-image.service', {
      name: '10-edgefab-order.conf',
      contents: overlays['live/release-image-order.conf'],
    }),
  ];
  if (!looksBeforePulling(ignition)) {
    changes.push(
      fileChange({
        path: '/usr/local/bin/edgefab-release-image.sh',
        mode: 0o755,
        text: overlays['scripts/edgefab-release-image.sh'],
      }),
      dropinChange('release-image.service', {
        name: '20-edgefab-local-first.conf',
        contents: overlays['live/release-image-local-first.conf'],
      }),
    );
  }
  if (ignition.files.some((file) => file.path === PULL_UNIT)) {
    changes.push(
      dropinChange('node-image-pull.service', {
        name: '10-edgefab-order.conf',
        contents: overlays['live/node-image-pull-order.conf'],
      }),
    );
  }
  return { name: NAME, why: 'the bootstrap finds its images in the store and pulls none of them', changes };
}
