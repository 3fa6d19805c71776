import pLimit from 'p-limit';
import type { Architecture } from '../../oci/architecture.ts';
import { parseManifest, selectPlatform } from '../../oci/manifest.ts';
import { atDigest, formatReference, type ImageReference } from '../../oci/reference.ts';
import type { ManifestSource } from './payload/content-sources.ts';

/** The most manifests that are kept for later; real ones have some kilobytes. */
const MOST_FORESEEN = 8192;

/** Gives manifests, those that were foreseen without asking again. */
export interface ReadAhead extends ManifestSource {
  /** Fetches what will probably be asked for: a manifest and, of a list, that of the architecture. Never throws. */
  foresee(reference: ImageReference): void;
}

/**
 * Puts a memory before a source of manifests, so that a registry answers while a catalog is still being unpacked.
 * What could not be foreseen, or failed, is asked for when it is needed, and fails then.
 */
export function openReadAhead(
  source: ManifestSource,
  {
    architecture,
    parallel,
    signal,
  }: { readonly architecture: Architecture; readonly parallel: number; readonly signal?: AbortSignal },
): ReadAhead {
  const limit = pLimit(parallel);
  const options = signal === undefined ? {} : { signal };
  const foreseen = new Map<string, ReturnType<ManifestSource['getManifest']>>();

  const fetch = (reference: ImageReference): ReturnType<ManifestSource['getManifest']> => {
    const key = formatReference(reference);
    const known = foreseen.get(key);
    if (known !== undefined) return known;
    const fetched = source.getManifest(reference, options);
    foreseen.set(key, fetched);
    fetched.catch(() => foreseen.delete(key));
    return fetched;
  };
  const fetchBoth = async (reference: ImageReference): Promise<void> => {
    signal?.throwIfAborted();
    const { bytes, mediaType } = await fetch(reference);
    const top = parseManifest(bytes, mediaType, formatReference(reference));
    if (top.kind === 'index')
      await fetch(atDigest(reference, selectPlatform(top, architecture, formatReference(reference)).digest));
  };

  return {
    foresee: (reference) => {
      if (foreseen.size + limit.pendingCount >= MOST_FORESEEN) return;
      limit(() => fetchBoth(reference)).catch(() => {
        // Whoever needs it asks again, and is told.
      });
    },
    getManifest: async (reference, wanted) => {
      const known = foreseen.get(formatReference(reference));
      if (known === undefined) return await source.getManifest(reference, wanted);
      return await known.catch(() => source.getManifest(reference, wanted));
    },
  };
}
