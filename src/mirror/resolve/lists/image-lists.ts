import { formatReference, parseReference } from '../../../oci/reference.ts';
import type { IgnoredImage, ImageRole, Lock, LockedImage } from '../lock.ts';
import { plainMirrorName } from './mirror-name.ts';

/** The list files of telco-ran-tools, which node scripts of before edgefab read. */
export const LIST_FILES = ['mapping.txt', 'ai-images.txt', 'ocp-images.txt', 'ignored-images.txt'] as const;
type ListFile = (typeof LIST_FILES)[number];

/** What the live phase of an install pulls. All roles but `bootstrap` are asked for by the installed node. */
const LIVE_ROLES: readonly ImageRole[] = ['bootstrap', 'tool'];

function pullReference({ source, digest }: LockedImage): string {
  return `${source}@${digest}`;
}

/** An attached signature is looked for by a tag beside the image it signs, in a mirror too. */
function repositoriesOfSignatures(images: readonly LockedImage[]): ReadonlyMap<string, string> {
  return new Map(
    images.flatMap((image) =>
      (image.signatures ?? []).map((digest): [string, string] => [
        `${image.source}@${digest}`,
        (mirrorNamesOf(image)[0] ?? '').replace(/:[^:]*$/, ''),
      ]),
    ),
  );
}

function mirrorNamesOf(image: LockedImage): readonly string[] {
  if (image.mirrorNames !== undefined && image.mirrorNames.length > 0) return image.mirrorNames;
  const reference = parseReference(pullReference(image));
  return [plainMirrorName(image.tag === undefined ? reference : { ...reference, tag: image.tag })];
}

function ignoredLine({ reference, mirrorName }: IgnoredImage): string {
  const parsed = parseReference(reference);
  return `${formatReference(parsed)}=${mirrorName ?? plainMirrorName(parsed)}`;
}

/** The same lock has the same bytes: sorted by code unit, each line once. */
function linesOf(lines: readonly string[]): string {
  return [...new Set(lines)]
    .sort()
    .map((line) => `${line}\n`)
    .join('');
}

/**
 * Derives the old list files from a lock: `mapping.txt` has a line SOURCE@DIGEST=REPOSITORY:TAG for each name an
 * image has in a mirror, `ai-images.txt` what the live phase pulls, `ocp-images.txt` what the installed node pulls,
 * `ignored-images.txt` what filters dropped, in lines like those of `mapping.txt`. Attached signatures are in
 * `mapping.txt` only: nobody loads them. Throws REFERENCE_INVALID for a lock with a source that is none.
 */
export function formatImageLists({ images, ignored = [] }: Lock): Readonly<Record<ListFile, string>> {
  const signatures = repositoriesOfSignatures(images);
  const mapping = images.flatMap((image) => {
    const reference = pullReference(image);
    const repository = signatures.get(reference);
    return mirrorNamesOf(image).map((name) =>
      repository === undefined
        ? `${reference}=${name}`
        : `${reference}=${repository}${name.slice(name.lastIndexOf(':'))}`,
    );
  });
  const loaded = images.filter((image) => !signatures.has(pullReference(image)));
  const isLive = (role: ImageRole): boolean => LIVE_ROLES.includes(role);
  const isInstalled = (role: ImageRole): boolean => role !== 'bootstrap';
  return {
    'mapping.txt': linesOf(mapping),
    'ai-images.txt': linesOf(loaded.filter(({ roles }) => roles.some(isLive)).map(pullReference)),
    'ocp-images.txt': linesOf(loaded.filter(({ roles }) => roles.some(isInstalled)).map(pullReference)),
    'ignored-images.txt': linesOf(ignored.map(ignoredLine)),
  };
}
