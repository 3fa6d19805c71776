import type { FetchedManifest } from '../../oci/client.ts';
import { formatReference, type ImageReference, repositoryOf } from '../../oci/reference.ts';

/** The most bytes of manifests that are held; those of 10,000 images take some 40 MB. */
const MOST_BYTES = 64 * 1024 * 1024;

/** The part of a registry client that gives manifests. */
interface ManifestGiver<Options> {
  getManifest(reference: ImageReference, options?: Options): Promise<FetchedManifest>;
}

/**
 * Lets what asks for a manifest after another has had it, have the same bytes: resolving reads every manifest, and the
 * pull wants them again. A manifest is forgotten when it was asked for by digest a second time.
 */
export function rememberManifests<Options, Source extends ManifestGiver<Options>>(source: Source): Source {
  const held = new Map<string, FetchedManifest>();
  let bytes = 0;
  const forget = (key: string, manifest: FetchedManifest): void => {
    held.delete(key);
    bytes -= manifest.bytes.length;
  };
  return {
    ...source,
    getManifest: async (reference: ImageReference, options?: Options): Promise<FetchedManifest> => {
      const known = held.get(formatReference(reference));
      if (known !== undefined) {
        forget(formatReference(reference), known);
        return known;
      }
      const fetched = await source.getManifest(reference, options);
      const key = `${repositoryOf(reference)}@${fetched.digest}`;
      if (!held.has(key) && bytes + fetched.bytes.length <= MOST_BYTES) {
        held.set(key, fetched);
        bytes += fetched.bytes.length;
      }
      return fetched;
    },
  };
}
