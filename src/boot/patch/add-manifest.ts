import { EdgefabError } from '../../errors.ts';
import { withFile } from '../ignition/edit-ignition.ts';
import { fileText } from '../ignition/file-contents.ts';
import type { Ignition } from '../ignition/ignition.ts';

/**
 * Adds a user's manifest to a config; the same again is no change. Throws TARGET_EXISTS when a file of that path
 * says something else: it is the installer's or edgefab's, or from another version of the user's file.
 */
export function addManifest(
  ignition: Ignition,
  manifest: { readonly path: string; readonly text: string },
  from: string,
): Ignition {
  const { path, text } = manifest;
  const present = ignition.files.some((file) => file.path === path);
  if (present && fileText(ignition, path) !== text) {
    throw new EdgefabError(
      `${from} becomes ${path}, which is in ${ignition.where} already with other content`,
      {
        code: 'TARGET_EXISTS',
        suggestions: [
          'Give your file another name',
          'Or start again from the config as openshift-install wrote it, if an earlier patch put it there',
        ],
        place: { file: from, field: path },
      },
    );
  }
  return withFile(ignition, { path, mode: 0o644, text });
}
