import { EdgefabError } from '../../../errors.ts';
import type { Digest } from '../../../oci/digest.ts';
import { printable } from '../../../oci/printable.ts';
import { isTag } from '../../../oci/reference.ts';
import type { LockedImage } from '../../resolve/lock.ts';
import { registryRepository } from './registry-repository.ts';

/** What the tags of repositories mean: repository, as the registry names it, to tag to digest. */
export type RegistryTags = ReadonlyMap<string, ReadonlyMap<string, Digest>>;

/**
 * Lists the tags under which images are served, attached signatures (`sha256-HEX.sig`) among them. A tag that the
 * lock gives to two manifests of one repository is left out: nothing says which one it means. Throws
 * REFERENCE_INVALID for a source or tag that is none.
 */
export function registryTags(images: readonly LockedImage[]): RegistryTags {
  const found = new Map<string, Map<string, Digest | undefined>>();
  for (const { source, tag, digest } of images) {
    const repository = registryRepository(source);
    if (tag === undefined) continue;
    if (!isTag(tag)) {
      throw new EdgefabError(`"${printable(tag, 200)}" is not a tag of ${source}`, {
        code: 'REFERENCE_INVALID',
        place: { image: source },
      });
    }
    const tags = found.get(repository) ?? new Map<string, Digest | undefined>();
    found.set(repository, tags.set(tag, !tags.has(tag) || tags.get(tag) === digest ? digest : undefined));
  }
  return new Map(
    [...found].map(([repository, tags]) => [
      repository,
      new Map([...tags].flatMap(([tag, digest]) => (digest === undefined ? [] : [[tag, digest] as const]))),
    ]),
  );
}
