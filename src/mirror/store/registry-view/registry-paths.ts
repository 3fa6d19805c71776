import { join, relative } from 'node:path/posix';
import { type Digest, digestHex } from '../../../oci/digest.ts';

/** The registry view relative to a cache root: what a registry gets as `rootdirectory`. */
export const REGISTRY_VIEW = 'views/registry';

/** Says which lock a view was made from. Beside `docker/`, where the registry does not look. */
export const REGISTRY_STAMP = 'edgefab-view.json';

const V2 = 'docker/registry/v2';

function folder(digest: Digest): string {
  return `sha256/${digestHex(digest)}`;
}

/**
 * Where the registry's filesystem driver looks, relative to the view (github.com/distribution/distribution,
 * registry/storage/paths.go). Each `link` is a file whose whole content is the digest it stands for.
 */
export const registryPaths = {
  /** A manifest that the repository has. */
  revision: (repository: string, digest: Digest): string =>
    `${V2}/repositories/${repository}/_manifests/revisions/${folder(digest)}/link`,
  /** A config or layer that may be fetched through the repository. */
  layer: (repository: string, digest: Digest): string =>
    `${V2}/repositories/${repository}/_layers/${folder(digest)}/link`,
  /** What a tag means now. */
  tag: (repository: string, tag: string): string =>
    `${V2}/repositories/${repository}/_manifests/tags/${tag}/current/link`,
  /** One of the manifests a tag has ever meant. */
  tagIndex: (repository: string, tag: string, digest: Digest): string =>
    `${V2}/repositories/${repository}/_manifests/tags/${tag}/index/${folder(digest)}/link`,
  /** The bytes of a blob or manifest. */
  data: (digest: Digest): string =>
    `${V2}/blobs/sha256/${digestHex(digest).slice(0, 2)}/${digestHex(digest)}/data`,
} as const;

/** What the symlink at `registryPaths.data` says: the way to the blob pool of the cache. */
export function dataTarget(digest: Digest): string {
  const from = join(REGISTRY_VIEW, registryPaths.data(digest), '..');
  return relative(`/${from}`, `/blobs/${folder(digest)}`);
}
