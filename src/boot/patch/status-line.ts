import type { NewFile, NewUnit } from '../ignition/edit-ignition.ts';
import { fileChange, manifestChange, unitChange } from './changes.ts';
import { machineConfigManifest } from './machine-config.ts';
import type { Overlays } from './overlay.ts';
import { checkSiteSettings, renderSiteEnvironment, SITE_FILE, type SiteSettings } from './site-settings.ts';
import type { Step } from './step.ts';

/**
 * Plans the text above and after the login prompt, in both phases: which build for which site, where the cache
 * comes from, what each part of edgefab says of itself in /run/edgefab/*.status, and what to do next. Throws
 * USAGE_INVALID.
 */
export function statusLineStep(settings: SiteSettings, overlays: Overlays): Step {
  checkSiteSettings(settings);
  const files: readonly NewFile[] = [
    { path: SITE_FILE, mode: 0o644, text: renderSiteEnvironment(settings) },
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
