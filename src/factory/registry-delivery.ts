import type { RepositoryMirror } from '../boot/install-config/repository-mirror.ts';
import { REGISTRY_PORT } from '../boot/patch/registry-settings.ts';
import type { TaggedImage } from '../boot/patch/tag-mirrors.ts';
import { EdgefabError } from '../errors.ts';
import type { ImageSet } from '../mirror/imageset/image-set.ts';
import type { Lock, LockedImage } from '../mirror/resolve/lock.ts';
import { registryRepository } from '../mirror/store/registry-view/registry-repository.ts';
import { dirViewName } from '../mirror/store/store-paths.ts';
import { parseReference, repositoryOf } from '../oci/reference.ts';

/** What of a lock a machine's registry is told: where everything is found, and what serves it. */
export interface RegistryContent {
  readonly repositories: readonly RepositoryMirror[];
  readonly tagged: readonly TaggedImage[];
  /** HOST/PATH@sha256:HEX of each catalog. */
  readonly catalogs: readonly string[];
  /** The image that serves, and its `dir:` view in the cache. */
  readonly tool: { readonly reference: string; readonly view: string };
}

/**
 * Reads out of a lock what registry mode needs. Throws CACHE_INCOMPLETE for a lock without an image that could serve:
 * it was made for another mode.
 */
export function registryContent(
  lock: Lock,
  isCatalog: (image: LockedImage) => boolean,
  port: number = REGISTRY_PORT,
): RegistryContent {
  const tools = lock.images.filter(({ roles }) => roles.includes('tool'));
  const [tool] = tools;
  if (tool === undefined) {
    throw new EdgefabError('the lock has no registry image: nothing could serve the cache on the machine', {
      code: 'CACHE_INCOMPLETE',
      suggestions: [
        'Run edgefab precache --update on the factory; without a factory, precache with --registry-image IMAGE',
        'Or use cache mode preload, and let the site have a network for what is pulled again',
      ],
    });
  }
  const sources = [...new Set(lock.images.map(({ source }) => source))].sort();
  const signatures = new Set(lock.images.flatMap((image) => image.signatures ?? []));
  const catalogs = lock.images.filter(isCatalog);
  return {
    repositories: sources.map((source) => ({
      source,
      mirror: `localhost:${port}/${registryRepository(source)}`,
    })),
    tagged: lock.images.flatMap((image) =>
      image.tag === undefined ||
      signatures.has(image.digest) ||
      catalogs.includes(image) ||
      !image.roles.includes('additional')
        ? []
        : [{ reference: `${image.source}:${image.tag}`, digest: image.digest }],
    ),
    catalogs: catalogs.map(({ source, digest }) => `${source}@${digest}`),
    tool: {
      reference: `${tool.source}@${tool.archDigest}`,
      view: dirViewName(tool.source, tool.archDigest),
    },
  };
}

/** Tells which images of a lock are catalogs, by the image sets it was made from. */
export function catalogsOf(
  imageSets: readonly Pick<ImageSet, 'operators'>[],
): (image: LockedImage) => boolean {
  const catalogs = imageSets.flatMap(({ operators }) =>
    operators.map(({ catalog }) => parseReference(catalog)),
  );
  return (image) =>
    catalogs.some(
      (reference) =>
        repositoryOf(reference) === image.source &&
        (reference.digest === undefined ? reference.tag === image.tag : reference.digest === image.digest),
    );
}
