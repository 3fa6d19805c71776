import { join } from 'node:path';
import { type Digest, digestHex } from '../../oci/digest.ts';

/** What the program is called in a cache root. */
export const EXECUTABLE_NAME = 'edgefab';

/** Where things are in a cache root (CONTRACTS: cache root). Paths are joined to `root`. */
export const storePaths = {
  blobs: (root: string): string => join(root, 'blobs', 'sha256'),
  blob: (root: string, digest: Digest): string => join(root, 'blobs', 'sha256', digestHex(digest)),
  /** Files of sites' configs that their boot sticks have no room for, each named by the sha256 of its bytes, in hex. */
  siteFiles: (root: string): string => join(root, 'files', 'sha256'),
  siteFile: (root: string, hex: string): string => join(root, 'files', 'sha256', hex),
  temporary: (root: string): string => join(root, 'tmp'),
  partial: (root: string, digest: Digest): string => join(root, 'tmp', `${digestHex(digest)}.partial`),
  /** What a writing run holds locked, and who that is. */
  holder: (root: string): string => join(root, 'tmp', 'lock'),
  owner: (root: string): string => join(root, 'tmp', 'owner.json'),
  views: (root: string): string => join(root, 'views'),
  dirViews: (root: string): string => join(root, 'views', 'dir'),
  registryView: (root: string): string => join(root, 'views', 'registry'),
  dirView: (root: string, repository: string, digest: Digest): string =>
    join(root, dirViewName(repository, digest)),
  lock: (root: string): string => join(root, 'edgefab.lock'),
  /** The program itself, for machines without Node. */
  executable: (root: string): string => join(root, EXECUTABLE_NAME),
  cacheFile: (root: string): string => join(root, 'edgefab-cache.json'),
  index: (root: string): string => join(root, 'index.json'),
} as const;

/**
 * The `dir:` view of an image relative to the cache root: views/dir/HOST/PATH@sha256-HEX. A port's colon is
 * written `+`, which no host name holds: a colon in a path breaks PATH-like lists and container volumes.
 */
export function dirViewName(repository: string, digest: Digest): string {
  const slash = repository.indexOf('/');
  const host = repository.slice(0, slash).replaceAll(':', '+');
  return join('views', 'dir', host, `${repository.slice(slash + 1)}@sha256-${digestHex(digest)}`);
}
