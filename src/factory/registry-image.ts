import type { WantedImage } from '../mirror/resolve/resolve.ts';
import { formatReference } from '../oci/reference.ts';
import type { Factory } from './factory.ts';

/**
 * The distribution registry that serves a cache on the machine unless `registry.image` names another one: from 2.8 on
 * it reads docker and OCI manifests and serves a read-only store (distribution/distribution). The lock pins its digest.
 * A payload's own registry image will not do: below 4.21 it holds no more than a program that wants a cluster.
 */
export const REGISTRY_IMAGE = 'docker.io/library/registry:2.8.3';

/** The registry image a factory's sites need: none when every site loads its images into containers-storage. */
export function registryTool({ registry, sites }: Pick<Factory, 'registry' | 'sites'>): WantedImage[] {
  const served = sites.filter(({ cache }) => cache.mode === 'registry').map(({ name }) => name);
  const named = registry.image === undefined ? undefined : formatReference(registry.image);
  if (served.length === 0 && named === undefined) return [];
  const requiredBy =
    named === undefined
      ? 'the registry on the machine'
      : 'registry.image of the factory, the registry on the machine';
  return [{ reference: named ?? REGISTRY_IMAGE, role: 'tool', requiredBy }];
}
