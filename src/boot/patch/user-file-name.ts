import { basename } from 'node:path';
import { EdgefabError, type ErrorCode } from '../../errors.ts';
import { showText } from '../../formats/shown-text.ts';

/** A file name that a shell, a URL and the scripts of the bootstrap take as it is. */
const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** Names the installer's own loader takes for its MachineConfigs and machine manifests. */
const SPECIAL = /^99_openshift-(?:machineconfig|cluster-api)_/;

/** Where the manifests of both phases lie: bootkube applies them, and the node's first config has them. */
export const MANIFEST_FOLDER = '/opt/openshift/openshift';

/**
 * Takes the stem of a user's file (`/a/chrony.bu` is `chrony`), as part of a file name on the machine. Throws the
 * given code for names that would need quoting or that the installer takes for its own.
 */
export function userFileStem(path: string, code: ErrorCode): string {
  const name = basename(path);
  const refused = (want: string): EdgefabError =>
    new EdgefabError(`file name: got ${showText(name, 120)}, want ${want}`, { code, place: { file: path } });
  if (!NAME.test(name)) throw refused('up to 100 letters, digits, . _ and -, the first a letter or digit');
  if (SPECIAL.test(name))
    throw refused(
      'a name that does not begin as the installer names its own: 99_openshift-machineconfig_, 99_openshift-cluster-api_',
    );
  return name.replace(/\.(?:bu|butane|ya?ml|json)$/i, '');
}
