import { EdgefabError } from '../../../errors.ts';
import type { Digest } from '../../../oci/digest.ts';
import { digestOf } from '../../../oci/digest.ts';
import { type ImageIndex, type ImageManifest, parseManifest } from '../../../oci/manifest.ts';
import { atDigest, formatReference, type ImageReference } from '../../../oci/reference.ts';
import type { BlobOpener, ManifestSource } from './content-sources.ts';
import { fetchImageConfig } from './image-config.ts';
import { IMAGE_REFERENCES, type PayloadImage, parseImageReferences } from './image-references.ts';
import { searchLayer } from './layer-search.ts';
import { payloadFault } from './payload-fault.ts';
import { parseReleaseMetadata, RELEASE_METADATA, type ReleaseMetadata } from './release-metadata.ts';

export interface Payload {
  /** Of what the reference names: the image, or the list it was chosen from. What a release signature signs. */
  readonly digest: Digest;
  /** Of the image that was read. */
  readonly archDigest: Digest;
  readonly version: string;
  /** In GOARCH words; `multi` when its components are lists. */
  readonly architecture: string;
  /** Sorted by name. */
  readonly images: readonly PayloadImage[];
  readonly metadata: ReleaseMetadata;
  /** Whether every layer it was read from had its digest; false only where the rest of a large one was left. */
  readonly verified: boolean;
}

export interface ReadPayloadOptions {
  /** In GOARCH words. */
  readonly arch: string;
  readonly signal?: AbortSignal;
}

const WANTED = [IMAGE_REFERENCES, RELEASE_METADATA];
/** More than fifty times what real payloads hold. */
const MAX_FILE_BYTES = 8 * 1024 * 1024;
const RELEASE_LABEL = 'io.openshift.release';

type Source = ManifestSource & BlobOpener;

interface FoundImage {
  readonly digest: Digest;
  readonly archDigest: Digest;
  readonly manifest: ImageManifest;
}

function childOf(index: ImageIndex, arch: string, where: string): Digest {
  const child = index.manifests.find(
    ({ platform }) => platform?.os === 'linux' && platform.architecture === arch,
  );
  if (child !== undefined) return child.digest;
  const there = index.manifests.flatMap(({ platform }) =>
    platform === undefined ? [] : [`${platform.os}/${platform.architecture}`],
  );
  throw new EdgefabError(
    `release payload ${where} is a list without linux/${arch}: it has ${there.join(', ') || 'no platforms'}`,
    { code: 'PLATFORM_UNKNOWN', place: { image: where } },
  );
}

async function findImage(
  reference: ImageReference,
  source: Source,
  { arch, signal }: ReadPayloadOptions,
): Promise<FoundImage> {
  const where = formatReference(reference);
  const get = async (asked: ImageReference) => {
    const { bytes, mediaType } = await source.getManifest(asked, signal === undefined ? {} : { signal });
    const digest = digestOf(bytes);
    if (asked.digest !== undefined && digest !== asked.digest)
      throw new EdgefabError(`the manifest of ${formatReference(asked)} has digest ${digest}`, {
        code: 'MANIFEST_DIGEST_MISMATCH',
        place: { image: formatReference(asked) },
      });
    return { digest, manifest: parseManifest(bytes, mediaType, formatReference(asked)) };
  };
  const { digest, manifest } = await get(reference);
  if (manifest.kind === 'image') return { digest, archDigest: digest, manifest };
  const child = await get(atDigest(reference, childOf(manifest, arch, where)));
  if (child.manifest.kind === 'index') throw payloadFault(where, 'its list leads to another list');
  return { digest, archDigest: child.digest, manifest: child.manifest };
}

function checkArchitecture(got: string, said: string, where: string, arch: string): void {
  if (got === arch) return;
  throw new EdgefabError(`release payload ${where} is for ${got} (${said}), want ${arch}`, {
    code: 'PAYLOAD_ARCH_MISMATCH',
    place: { image: where },
    suggestions: [`Take the release image for ${arch}, or a multi payload`],
  });
}

/**
 * Reads what a release image (OCP or OKD, by tag or digest, single or multi) holds: its version and its component
 * images. Layers are searched from the last to the first, as far as needed, and streamed; what an upper layer
 * deletes is gone. Throws PAYLOAD_INVALID, PAYLOAD_ARCH_MISMATCH, PLATFORM_UNKNOWN, the digest and size
 * errors of blobs and manifests, and what `source` throws.
 */
export async function readPayload(
  reference: ImageReference,
  options: ReadPayloadOptions,
  source: Source,
): Promise<Payload> {
  const { arch, signal } = options;
  const where = formatReference(reference);
  const { digest, archDigest, manifest } = await findImage(reference, source, options);
  const place = { repository: reference, where, ...(signal === undefined ? {} : { signal }) };
  const config = await fetchImageConfig(manifest.config, source, place);
  checkArchitecture(config.architecture, 'by its config', where, arch);

  const files = new Map<string, Buffer>();
  let missing: readonly string[] = WANTED;
  let verified = true;
  for (const layer of manifest.layers.toReversed()) {
    const found = await searchLayer(layer, missing, source, { ...place, maxFileBytes: MAX_FILE_BYTES });
    for (const [path, bytes] of found.files) files.set(path, bytes);
    verified &&= found.verified;
    missing = missing.filter((path) => !files.has(path));
    const deleted = missing.find((path) => found.hides(path));
    if (deleted !== undefined) throw payloadFault(where, `layer ${layer.digest} deletes ${deleted}`);
    if (missing.length === 0) break;
  }
  const [references, metadataBytes] = WANTED.map((path) => files.get(path));
  if (references === undefined || metadataBytes === undefined)
    throw payloadFault(
      where,
      `${missing.join(' and ')} ${missing.length > 1 ? 'are' : 'is'} in none of its ${manifest.layers.length} layers`,
      {
        suggestions:
          config.labels[RELEASE_LABEL] === undefined
            ? [`It has no label ${RELEASE_LABEL}: check that it is a release image`]
            : [],
      },
    );
  const metadata = parseReleaseMetadata(metadataBytes, where);
  const said = metadata.architecture ?? arch;
  if (said !== 'multi') checkArchitecture(said, 'by its release-metadata', where, arch);
  return {
    digest,
    archDigest,
    version: metadata.version,
    architecture: said,
    images: parseImageReferences(references, where),
    metadata,
    verified,
  };
}
