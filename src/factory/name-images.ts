import { EdgefabError } from '../errors.ts';
import {
  type ImageSetImages,
  type ImageSetOptions,
  type ImageSetSources,
  imageSetImages,
} from '../mirror/resolve/image-set-images.ts';
import { type Architecture, architectureOf } from '../oci/architecture.ts';
import type { LockRequest } from './mirror-request.ts';

/** How graphs are read, whom a release is trusted by, who is told of images before it is sure. */
export type NameOptions = Pick<ImageSetOptions, 'graph' | 'trustRelease' | 'foresee' | 'signal'>;

/**
 * Names what all image sets of a request and its tools stand for, as one. Graphs, payloads and catalogs are read,
 * no manifest of an image that is only named. Throws USAGE_INVALID and what `imageSetImages` throws.
 */
export async function nameImages(
  request: LockRequest,
  sources: ImageSetSources,
  options: NameOptions,
): Promise<ImageSetImages> {
  const { arch, bootstrap, filters, forceFilter, tools } = request;
  const architecture = ociArchitecture(arch);
  const found: ImageSetImages[] = [];
  for (const imageSet of request.imageSets) {
    found.push(
      await imageSetImages(imageSet, sources, {
        ...options,
        architecture,
        filters,
        forceFilter,
        ...(bootstrap === undefined ? {} : { bootstrap }),
      }),
    );
  }
  const wanted = [...found.flatMap((set) => set.wanted), ...tools];
  const references = new Set(wanted.map(({ reference }) => reference));
  return {
    wanted,
    // What one image set drops, another may still want.
    ignored: found.flatMap((set) => set.ignored).filter(({ reference }) => !references.has(reference)),
    releases: found.flatMap((set) => set.releases),
    warnings: [...new Set(found.flatMap((set) => set.warnings))],
  };
}

/** The word registries have for a machine's architecture. Throws USAGE_INVALID. */
export function ociArchitecture(arch: string): Architecture {
  const found = architectureOf(arch);
  if (found !== undefined) return found;
  throw new EdgefabError(`architecture "${arch}" is not known: want x86_64, aarch64, ppc64le or s390x`, {
    code: 'USAGE_INVALID',
  });
}
