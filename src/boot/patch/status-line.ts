import type { NewFile, NewUnit } from '../ignition/edit-ignition.ts';
import { fileChange, manifestChange, unitChange } from './changes.ts';
import { machineConfigManifest } from './machine-config.ts';
import { unfitValue } from './machine-values.ts';
import type { Overlays } from './overlay.ts';
import type { RegistrySettings } from './registry-settings.ts';
import type { Step } from './step.ts';

/** What the text at the login prompt names; both 1 to 64 letters, digits, . _ and -. */
export interface StatusLineSettings extends Pick<RegistrySettings, 'buildId'> {
  readonly site: string;
}

const WORD = /^[A-Za-z0-9._-]{1,64}$/;

function checkStatusLine({ site, buildId }: StatusLineSettings): void {
  for (const [what, value] of [
    ['site', site],
    ['build id', buildId],
  ] as const) {
    if (!WORD.test(value)) throw unfitValue(what, value, '1 to 64 letters, digits, . _ and -');
  }
}

/**
 * Plans the text above and after the login prompt, in both phases: which build for which site, where the cache
 * comes from, what each part of edgefab says of itself in /run/edgefab/*.status, and what to do next. Throws
 * USAGE_INVALID.
 */
export function statusLineStep(settings: StatusLineSettings, overlays: Overlays): Step {
  checkStatusLine(settings);
  const files: readonly NewFile[] = [
    {
      path: '/etc/edgefab/site.env',
      mode: 0o644,
      text: `EDGEFAB_SITE=${settings.site}\nEDGEFAB_BUILD_ID=${settings.buildId}\n`,
    },
    { path: '/usr/local/bin/edgefab-status.sh', mode: 0o755, text: overlays['scripts/edgefab-status.sh'] },
  ];
  const units = (phase: 'live' | 'installed'): readonly NewUnit[] => [
    { name: 'edgefab-status.service', enabled: true, contents: overlays[`${phase}/edgefab-status.service`] },
    { name: 'edgefab-status.path', enabled: true, contents: overlays['both/edgefab-status.path'] },
  ];
  const manifest = machineConfigManifest({ name: '99-edgefab-status', files, units: units('installed') });
  return {
    name: 'status-line',
    why: 'whoever stands before the machine reads there how it is and what to do next',
    changes: [...files.map(fileChange), ...units('live').map(unitChange), manifestChange(manifest)],
  };
}
