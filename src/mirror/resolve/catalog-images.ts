import type { Readable } from 'node:stream';
import { EdgefabError } from '../../errors.ts';
import type { Architecture } from '../../oci/architecture.ts';
import { digestOf } from '../../oci/digest.ts';
import { type ImageManifest, parseManifest, selectPlatform } from '../../oci/manifest.ts';
import { atDigest, formatReference, type ImageReference, parseReference } from '../../oci/reference.ts';
import type { ImageSet, OperatorCatalog } from '../imageset/image-set.ts';
import { buildCatalog, type ReadFile } from './catalog/build-catalog.ts';
import type { Catalog } from './catalog/catalog.ts';
import type { CatalogRequest, CatalogSemantics } from './catalog/catalog-request.ts';
import { filterCatalog } from './catalog/filter-catalog.ts';
import { type ReadCatalogOptions, readCatalog } from './catalog/read-catalog.ts';
import type { BlobOpener, ManifestSource } from './payload/content-sources.ts';
import type { WantedImage } from './resolve.ts';
import { verifiedLayer } from './verified-layer.ts';

/** The largest image config that is read; real ones have some kilobytes. */
const MAX_CONFIG_BYTES = 4 * 1024 * 1024;

interface CatalogOptions {
  readonly architecture: Architecture;
  readonly signal?: AbortSignal;
}

interface LoadOptions extends CatalogOptions, Pick<ReadCatalogOptions, 'onFile'> {}

interface ImagesOptions extends CatalogOptions {
  /** Told of images that will probably be named, while the catalog is still being read. */
  readonly foresee?: (image: ImageReference) => void;
}

/** Reads the essentials of a catalog out of its index image. Throws CATALOG_INVALID, BLOB_DIGEST_MISMATCH and what `sources` throws. */
export async function loadCatalog(
  reference: ImageReference,
  sources: ManifestSource & BlobOpener,
  options: LoadOptions,
): Promise<Catalog> {
  const where = formatReference(reference);
  const signal = options.signal === undefined ? {} : { signal: options.signal };
  const onFile = options.onFile === undefined ? {} : { onFile: options.onFile };
  const { manifest, repository } = await catalogManifest(reference, where, sources, options);
  const open = async (digest: typeof manifest.config.digest): Promise<Readable> =>
    (await sources.openBlob(repository, digest, signal)).stream;
  const config = await readWhole(await open(manifest.config.digest), where);
  if (digestOf(config) !== manifest.config.digest) {
    throw new EdgefabError(
      `the config of ${where} has digest ${digestOf(config)}, want ${manifest.config.digest}`,
      {
        code: 'BLOB_DIGEST_MISMATCH',
        place: { image: where },
      },
    );
  }
  const layers = manifest.layers.map(({ mediaType, digest }) => ({
    mediaType,
    open: async () => verifiedLayer(await open(digest), digest, where),
  }));
  return await readCatalog({ config, layers }, where, { ...signal, ...onFile });
}

async function catalogManifest(
  reference: ImageReference,
  where: string,
  sources: ManifestSource,
  { architecture, signal }: CatalogOptions,
): Promise<{ manifest: ImageManifest; repository: ImageReference }> {
  const options = signal === undefined ? {} : { signal };
  const fetched = await sources.getManifest(reference, options);
  const top = parseManifest(fetched.bytes, fetched.mediaType, where);
  if (top.kind === 'image') return { manifest: top, repository: reference };
  const repository = atDigest(reference, selectPlatform(top, architecture, where).digest);
  const child = await sources.getManifest(repository, options);
  const manifest = parseManifest(child.bytes, child.mediaType, formatReference(repository));
  if (manifest.kind === 'image') return { manifest, repository };
  throw new EdgefabError(`catalog ${where}: its ${architecture} entry is a list again, want an image`, {
    code: 'MANIFEST_INVALID',
    place: { image: where },
  });
}

async function readWhole(stream: Readable, where: string): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of stream) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > MAX_CONFIG_BYTES) {
      stream.destroy();
      throw new EdgefabError(`the config of ${where} has more than ${MAX_CONFIG_BYTES} bytes`, {
        code: 'CATALOG_INVALID',
        place: { image: where },
      });
    }
  }
  return Buffer.concat(chunks);
}

/** Names the images one catalog of an image set stands for: the catalog itself, the bundles chosen, what they run. */
export async function catalogImages(
  operator: OperatorCatalog,
  imageSet: ImageSet,
  sources: ManifestSource & BlobOpener,
  { foresee, ...options }: ImagesOptions,
): Promise<WantedImage[]> {
  const reference = parseReference(operator.catalog);
  const semantics = imageSet.apiVersion.endsWith('v1alpha2') ? 'v1alpha2' : 'v2alpha1';
  const request = requestOf(operator, semantics);
  const catalog = await loadCatalog(reference, sources, {
    ...options,
    ...(foresee === undefined
      ? {}
      : { onFile: (file) => foreseenImages(file, request, semantics).forEach(foresee) }),
  });
  const selection = filterCatalog(catalog, request, semantics);
  const where = `${operator.place.field ?? 'a line'} of the image set`;
  return [
    { reference: operator.catalog, role: 'operator', requiredBy: `catalog, ${where}` },
    ...selection.images.flatMap(({ image, requiredBy }) =>
      requiredBy.map(
        (who): WantedImage => ({ reference: qualified(image, who), role: 'operator', requiredBy: who }),
      ),
    ),
  ];
}

/**
 * Names what a file of the usual shape, one whole package, will add to the selection. Nothing where that cannot be
 * told from the file alone: what is wrong with it is said when the whole catalog is there.
 */
function foreseenImages(
  file: ReadFile,
  { packages = [], full = false }: CatalogRequest,
  semantics: CatalogSemantics,
): ImageReference[] {
  const names = file.documents.flatMap((document) => (document.kind === 'package' ? [document.name] : []));
  const [name] = names;
  const wanted = packages.filter((item) => item.name === name);
  if (names.length !== 1 || (packages.length > 0 && wanted.length === 0)) return [];
  try {
    const alone = buildCatalog([file], file.path, '');
    const { images } = filterCatalog(alone, { full, packages: wanted }, semantics);
    return images.map(({ image }) => parseReference(image));
  } catch {
    return [];
  }
}

function requestOf(
  { full, skipDependencies, packages }: OperatorCatalog,
  semantics: CatalogSemantics,
): CatalogRequest {
  return {
    full,
    followDependencies: semantics === 'v1alpha2' && !skipDependencies,
    packages: packages.map(({ bundles, ...rest }) => ({
      ...rest,
      ...(bundles.length === 0 ? {} : { selectedBundles: bundles.map((name) => ({ name })) }),
    })),
  };
}

/** A related image's reference, checked here so that the message names the operator that wrote it. */
function qualified(image: string, who: string): string {
  try {
    return formatReference(parseReference(image));
  } catch (cause) {
    throw new EdgefabError(
      `${who} names an image that cannot be pulled: ${cause instanceof Error ? cause.message : image}`,
      {
        code: 'CATALOG_INVALID',
        place: { image },
        cause,
      },
    );
  }
}
