import { withoutFile } from '../ignition/edit-ignition.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { dropinChange, fileChange, unitChange } from './changes.ts';
import { loadOverlays, type Overlays } from './overlay.ts';
import type { OwnContent } from './own-content.ts';
import type { SpillFile } from './spill-plan.ts';
import { waitersOf } from './spill-waiters.ts';
import { applyStep, type Change, type Step, type StepReport } from './step.ts';

/** Renders the list the machine reads: `SHA256 SIZE MODE PATH` a line, by path. */
function renderFilesList(files: readonly SpillFile[]): string {
  const title =
    '# Made by edgefab, read by edgefab-files.sh: sha256, bytes, mode, path. Each is on the cache disk, files/sha256/SHA256\n';
  const lines = [...files]
    .sort((a, b) => (a.path < b.path ? -1 : 1))
    .map(({ sha256, sizeBytes, mode, path }) => {
      return `${sha256} ${sizeBytes} ${mode.toString(8).padStart(4, '0')} ${path}\n`;
    });
  return title + lines.join('');
}

function spillStep(
  ignition: Ignition,
  own: OwnContent,
  files: readonly SpillFile[],
  overlays: Overlays,
): Step {
  const waiting = waitersOf(ignition, own).unitsFor(files.map(({ path }) => path));
  const dropin = { name: '40-edgefab-files.conf', contents: overlays['live/files-required.conf'] };
  return {
    name: 'spill',
    why: 'files that the embed area has no room for are fetched from the cache disk before anything of the install begins',
    changes: [
      ...files.map(
        ({ path, sizeBytes, sha256 }): Change => ({
          describe: `file ${path}, ${sizeBytes} bytes, moved to the cache disk as files/sha256/${sha256}`,
          apply: (config) => withoutFile(config, path),
        }),
      ),
      fileChange({ path: '/etc/edgefab/files.list', mode: 0o644, text: renderFilesList(files) }),
      fileChange({
        path: '/usr/local/bin/edgefab-disk.sh',
        mode: 0o644,
        text: overlays['scripts/edgefab-disk.sh'],
      }),
      fileChange({
        path: '/usr/local/bin/edgefab-files.sh',
        mode: 0o755,
        text: overlays['scripts/edgefab-files.sh'],
      }),
      unitChange({
        name: 'edgefab-files.service',
        enabled: true,
        contents: overlays['live/edgefab-files.service'],
      }),
      ...waiting.map((unit) => dropinChange(unit, dropin)),
    ],
  };
}

/**
 * Takes files out of a patched config and has the machine fetch them from its cache disk, in the live system, before
 * bootkube and before every unit that may use one. `files` are candidates that `planSpill` found in this very config.
 */
export async function spillIgnition(
  ignition: Ignition,
  own: OwnContent,
  files: readonly SpillFile[],
): Promise<{ readonly ignition: Ignition; readonly report: StepReport }> {
  return applyStep(ignition, spillStep(ignition, own, files, await loadOverlays()));
}
