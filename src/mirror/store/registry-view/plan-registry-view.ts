import { type Digest, digestHex } from '../../../oci/digest.ts';
import type { LockedImage } from '../../resolve/lock.ts';
import { dataTarget, registryPaths } from './registry-paths.ts';
import { registryRepository } from './registry-repository.ts';
import { registryTags } from './registry-tags.ts';
import type { ReferrersIndex } from './signature-referrers.ts';

/**
 * One entry of a registry view: a file with a text (a digest, or a manifest made here), or a symlink into the blob
 * pool. `image` is the first that needs it, SOURCE@DIGEST.
 */
export type RegistryEntry =
  | { readonly kind: 'file'; readonly content: string; readonly image: string }
  | { readonly kind: 'symlink'; readonly target: string; readonly image: string };

/** What a view consists of: the path of each entry, relative to the view, to what is there. */
export type RegistryView = ReadonlyMap<string, RegistryEntry>;

/**
 * Lists every entry of the registry view of a lock, by path. Of a list the kept child is served too. Throws
 * REFERENCE_INVALID for a lock with a source or tag that is none: such a name could lead out of the view.
 */
export function planRegistryView(
  images: readonly LockedImage[],
  referrers: readonly ReferrersIndex[],
): RegistryView {
  const entries = new Map<string, RegistryEntry>();
  const add = (path: string, entry: RegistryEntry): void => {
    if (!entries.has(path)) entries.set(path, entry);
  };
  const link = (path: string, digest: Digest, image: string): void =>
    add(path, { kind: 'file', content: digest, image });
  const tags = registryTags(images);
  const tagged = (repository: string, tag: string, digest: Digest, image: string): void => {
    link(registryPaths.tag(repository, tag), digest, image);
    link(registryPaths.tagIndex(repository, tag, digest), digest, image);
  };
  for (const { source, tag, digest, archDigest, blobs } of images) {
    const image = `${source}@${digest}`;
    const repository = registryRepository(source);
    const pooled = (blob: Digest): void =>
      add(registryPaths.data(blob), { kind: 'symlink', target: dataTarget(blob), image });
    for (const manifest of [digest, archDigest]) {
      link(registryPaths.revision(repository, manifest), manifest, image);
      pooled(manifest);
    }
    for (const blob of blobs) {
      link(registryPaths.layer(repository, blob.digest), blob.digest, image);
      pooled(blob.digest);
    }
    if (tag !== undefined && tags.get(repository)?.get(tag) === digest)
      tagged(repository, tag, digest, image);
  }
  for (const { source, subject, digest, bytes } of referrers) {
    const image = `${source}@${subject}`;
    const repository = registryRepository(source);
    const tag = `sha256-${digestHex(subject)}`;
    // One that was locked as it was found says it better.
    if (tags.get(repository)?.has(tag) === true) continue;
    link(registryPaths.revision(repository, digest), digest, image);
    tagged(repository, tag, digest, image);
    // In no lock, so not in the pool either.
    add(registryPaths.data(digest), { kind: 'file', content: Buffer.from(bytes).toString('utf8'), image });
  }
  return new Map([...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
}
