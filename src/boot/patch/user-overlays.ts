import type { Butane } from 'butane-wasm';
import { EdgefabError } from '../../errors.ts';
import { openButane } from '../ignition/butane-engine.ts';
import { withFile } from '../ignition/edit-ignition.ts';
import type { Ignition } from '../ignition/ignition.ts';
import { mergeIgnition } from '../ignition/merge-ignition.ts';
import { addManifest } from './add-manifest.ts';
import { joinOwnContent, type OwnContent } from './own-content.ts';
import type { Change, Step } from './step.ts';
import { translateOverlay } from './translate-overlay.ts';
import { MANIFEST_FOLDER, userFileStem } from './user-file-name.ts';

export interface OverlaysOptions {
  /** The release the machine installs: what Ignition it reads depends on it. */
  readonly version: string;
  /** The engine; the packaged one when left out. */
  readonly butane?: Butane;
}

/**
 * Plans a site's own Butane files: `variant: fcos` is merged into the live config by Ignition's own merge,
 * `variant: openshift` becomes a MachineConfig manifest. Local files are read next to each file. The step is for
 * this very config. Throws FILE_UNREADABLE, BUTANE_INVALID with line and column, IGNITION_SPEC_TOO_NEW,
 * IGNITION_INVALID, USAGE_INVALID, TOOL_MISSING.
 */
export async function overlaysStep(
  ignition: Ignition,
  files: readonly string[],
  { version, butane: given }: OverlaysOptions,
): Promise<Step> {
  const butane = given ?? (await openButane());
  const changes: Change[] = [];
  const warnings: string[] = [];
  const stems = new Map<string, string>();
  const brought: OwnContent[] = [];
  let current = ignition;
  for (const file of files) {
    const stem = userFileStem(file, 'BUTANE_INVALID');
    const twin = stems.get(stem);
    if (twin !== undefined) throw twins(file, twin);
    stems.set(stem, file);
    const overlay = await translateOverlay(file, version, butane);
    warnings.push(...overlay.warnings);
    const before = current;
    if (overlay.kind === 'machine-config') {
      const path = `${MANIFEST_FOLDER}/99_edgefab-user-${stem}.yaml`;
      current = addManifest(before, { path, text: overlay.text }, file);
      brought.push(overlayContent(ignition, file, [path], []));
      changes.push({
        describe: `MachineConfig manifest ${path} from ${file}`,
        apply: (config) => withFile(config, { path, mode: 0o644, text: overlay.text }),
      });
    } else {
      const after = await mergeIgnition(before, overlay.ignition, butane);
      current = after;
      brought.push(
        overlayContent(
          ignition,
          file,
          overlay.ignition.files.map(({ path }) => path),
          overlay.ignition.units.map(({ name }) => name),
        ),
      );
      changes.push({
        describe: `${file} merged into the live config`,
        apply: (config) => replayed(config, before, after),
      });
    }
  }
  return {
    name: 'overlays',
    why: 'the site has configuration of its own',
    changes,
    own: joinOwnContent(brought),
    ...(warnings.length === 0 ? {} : { warnings }),
    ...(files.length === 0 ? { skipped: 'the site has no overlays' } : {}),
  };
}

/** What one overlay brings; `before` is the config without any. */
function overlayContent(
  before: Ignition,
  file: string,
  paths: readonly string[],
  units: readonly string[],
): OwnContent {
  return {
    files: paths.map((path) => ({
      path,
      kind: 'overlays',
      from: [file],
      replaces: before.files.some((each) => each.path === path),
    })),
    units: units
      .filter((name) => !before.units.some((each) => each.name === name))
      .map((name) => ({ name, from: [file] })),
  };
}

function twins(file: string, other: string): EdgefabError {
  return new EdgefabError(
    `${file} and ${other} have the same name: want names that differ, since manifests share one folder`,
    {
      code: 'USAGE_INVALID',
      place: { file },
    },
  );
}

/** A merge is made when the step is planned; it says nothing about another config. */
function replayed(config: Ignition, before: Ignition, after: Ignition): Ignition {
  if (config.text === before.text) return after.text === before.text ? config : after;
  throw new Error('the step overlays was planned for another config than the one it is applied to');
}
