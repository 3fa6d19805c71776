import { EdgefabError } from '../../errors.ts';
import { fileText } from './file-contents.ts';
import type { Ignition } from './ignition.ts';
import { shellLines } from './shell-lines.ts';

const SCRIPT = '/usr/local/bin/release-image.sh';
// HOST[:PORT]/PATH[:TAG][@DIGEST]; the full grammar is checked where the reference is used.
const SPEC =
  '[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]+)?/[a-z0-9._/-]+(?::[A-Za-z0-9._-]+)?(?:@sha256:[0-9a-f]{64})?';
const PLACES = [
  new RegExp(`podman inspect "?(${SPEC})"?\\s`),
  new RegExp(`^\\s*RELEASE_IMAGE_DIGEST="?(${SPEC})"?\\s*$`),
];

/**
 * Reads the release image's pull spec, as the installer wrote it, from release-image.sh. Throws
 * INSTALLER_TEXT_UNKNOWN when the script does not name exactly one.
 */
export function releaseImage(ignition: Ignition): string {
  const found = new Set<string>();
  for (const { text } of shellLines(fileText(ignition, SCRIPT) ?? '')) {
    for (const place of PLACES) {
      const spec = place.exec(text)?.[1];
      if (spec !== undefined) found.add(spec);
    }
  }
  const [spec] = found;
  if (spec !== undefined && found.size === 1) return spec;
  const got = found.size === 0 ? 'none' : [...found].join(' and ');
  throw new EdgefabError(`${ignition.where}: ${SCRIPT}: want one release image, got ${got}`, {
    code: 'INSTALLER_TEXT_UNKNOWN',
    suggestions: ['Use an Ignition config as a released openshift-install writes it'],
    place: { file: ignition.where, field: SCRIPT },
  });
}
