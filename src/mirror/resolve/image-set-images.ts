import { EdgefabError } from '../../errors.ts';
import { type Architecture, architectureOf } from '../../oci/architecture.ts';
import type { Digest } from '../../oci/digest.ts';
import { atDigest, formatReference, type ImageReference, parseReference } from '../../oci/reference.ts';
import type { ImageSet } from '../imageset/image-set.ts';
import { catalogImages } from './catalog-images.ts';
import { selectPlatformReleases } from './graph/cross-channels.ts';
import type { PlatformType } from './graph/fetch-graph.ts';
import type { Graph } from './graph/graph.ts';
import { releaseMirrorName } from './lists/mirror-name.ts';
import type { IgnoredImage } from './lock.ts';
import type { BlobOpener, ManifestSource } from './payload/content-sources.ts';
import { type Payload, readPayload } from './payload/read-payload.ts';
import type { WantedImage } from './resolve.ts';
import { assertFiltersHarmless, type FilterSubject, filterImpact } from './roles/filter-impact.ts';
import { blockedImageFilters, type ImageFilter } from './roles/image-filter.ts';
import { type BootstrapImage, payloadRoles } from './roles/payload-roles.ts';

/** What a registry client happens to be. */
export interface ImageSetSources extends ManifestSource, BlobOpener {}

export interface ImageSetOptions {
  /** For what the image set names no architecture. */
  readonly architecture: Architecture;
  /** The update graph of a channel, in GOARCH words; asked for one channel more than once. */
  readonly graph: (channel: string, type: PlatformType, arch: string) => Promise<Graph>;
  /** What the sites' Ignitions ask for by name; without it a table per release stands for it. */
  readonly bootstrap?: readonly BootstrapImage[];
  /** Patterns beyond the image set's own blockedImages. */
  readonly filters?: readonly ImageFilter[];
  /** Drops what filters match even when the install needs it. */
  readonly forceFilter?: boolean;
  /** Vouches for a release image before its payload is trusted; `pinned` when the user wrote its digest. */
  readonly trustRelease?: (release: {
    readonly image: string;
    readonly digest: Digest;
    readonly pinned: boolean;
  }) => Promise<void>;
  /** Told of images that will probably be wanted, before it is sure. */
  readonly foresee?: (image: ImageReference) => void;
  readonly signal?: AbortSignal;
}

export interface ImageSetRelease {
  readonly version: string;
  /** HOST/PATH@DIGEST */
  readonly image: string;
  readonly digest: Digest;
}

export interface ImageSetImages {
  readonly wanted: readonly WantedImage[];
  /** What filters dropped. */
  readonly ignored: readonly IgnoredImage[];
  readonly releases: readonly ImageSetRelease[];
  /** What a person should know and nothing fails of. */
  readonly warnings: readonly string[];
}

/** An image with all that wants it, as filters and roles see it. */
interface Candidate extends FilterSubject {
  readonly wanted: readonly WantedImage[];
}

/**
 * Names every image an image set stands for, reading graphs, release payloads and catalogs: release images with
 * their components, catalogs with the bundles chosen and their related images, additional images; without what
 * filters drop. Throws what those readers throw, and FILTER_BREAKS_INSTALL.
 */
export async function imageSetImages(
  imageSet: ImageSet,
  sources: ImageSetSources,
  options: ImageSetOptions,
): Promise<ImageSetImages> {
  refuseUnsupported(imageSet);
  const warnings: string[] = [];
  const releases: ImageSetRelease[] = [];
  const candidates: Candidate[] = [];
  for (const arch of architecturesOf(imageSet, options)) {
    for (const { image, pinned } of await releaseImages(imageSet, arch, options, warnings)) {
      const found = await readRelease(image, pinned, arch, sources, options, warnings);
      releases.push(found.release);
      candidates.push(...found.candidates);
    }
  }
  // What a filter may drop, nobody is asked for.
  const filters = imageSet.blockedImages.length + (options.filters ?? []).length;
  const { foresee, ...rest } = options;
  const ahead = foresee === undefined || filters > 0 ? {} : { foresee };
  for (const operator of imageSet.operators) {
    const wanted = await catalogImages(operator, imageSet, sources, { ...rest, ...ahead });
    candidates.push(
      ...wanted.map((item) => ({ reference: item.reference, aliases: [], requiredBy: [], wanted: [item] })),
    );
  }
  for (const { reference, place } of imageSet.additionalImages) {
    const text = formatReference(reference);
    const wanted: WantedImage = {
      reference: text,
      role: 'additional',
      requiredBy: `${place.field ?? 'a line'} of the image set`,
    };
    candidates.push({ reference: text, aliases: [], requiredBy: [], wanted: [wanted] });
  }
  return { ...filtered(candidates, imageSet, options, warnings), releases, warnings };
}

function architecturesOf(imageSet: ImageSet, options: ImageSetOptions): string[] {
  const named = imageSet.platform.architectures;
  return named.length === 0
    ? [options.architecture]
    : named.map((name) => (name === 'multi' ? name : (architectureOf(name) ?? name)));
}

async function releaseImages(
  { platform, file }: ImageSet,
  arch: string,
  options: ImageSetOptions,
  warnings: string[],
): Promise<{ image: string; pinned: boolean }[]> {
  if (platform.release !== undefined) {
    const { reference } = platform.release;
    return [{ image: formatReference(reference), pinned: reference.digest !== undefined }];
  }
  if (platform.channels.length === 0) return [];
  const wishes = platform.channels.map(({ name, place: _, ...rest }) => ({ channel: name, ...rest }));
  const found = await selectPlatformReleases(wishes, (channel, type) => options.graph(channel, type, arch));
  warnings.push(...found.warnings);
  if (found.releases.length === 0) {
    throw new EdgefabError(`${file}: its channels have no release for ${arch}`, {
      code: 'RELEASE_UNKNOWN',
      place: { file },
    });
  }
  return found.releases.map(({ payload }) => ({ image: payload, pinned: false }));
}

async function readRelease(
  image: string,
  pinned: boolean,
  arch: string,
  sources: ImageSetSources,
  options: ImageSetOptions,
  warnings: string[],
): Promise<{ release: ImageSetRelease; candidates: Candidate[] }> {
  const reference = parseReference(image);
  const { signal } = options;
  // A multi payload is read through the image of the machine's own architecture.
  const wantedArch = arch === 'multi' ? options.architecture : arch;
  const payload = await readPayload(
    reference,
    { arch: wantedArch, ...(signal === undefined ? {} : { signal }) },
    sources,
  );
  const name = formatReference(atDigest(reference, payload.digest));
  await options.trustRelease?.({ image: name, digest: payload.digest, pinned });
  if (options.trustRelease !== undefined && !payload.verified) {
    warnings.push(
      `release ${payload.version}: a large layer was read in part only; the pull hashes it whole`,
    );
  }
  return {
    release: { version: payload.version, image: name, digest: payload.digest },
    candidates: releaseCandidates(name, payload, options, warnings),
  };
}

function releaseCandidates(
  image: string,
  payload: Payload,
  options: ImageSetOptions,
  warnings: string[],
): Candidate[] {
  const { version, architecture, images } = payload;
  const { bootstrap } = options;
  const roles = payloadRoles({ names: images.map(({ name }) => name), bootstrap, version });
  if (roles.basis === 'none') {
    warnings.push(
      `release ${version}: which of its images the bootstrap pulls is not known; name a site's Ignition to tell`,
    );
  }
  for (const { name, requiredBy } of roles.missing) {
    warnings.push(`release ${version} has no image ${name}, which is asked for by ${requiredBy.join('; ')}`);
  }
  const needs = new Map(roles.components.map((component) => [component.name, component]));
  const components = images.map(({ name, reference }): Candidate => {
    const need = needs.get(name);
    const text = formatReference(reference);
    const by = need?.requiredBy ?? [];
    const reasons =
      by.length === 0
        ? [`release ${version}: ${name}`]
        : by.map((who) => `release ${version}: ${name}, for ${who}`);
    const mirrorName = releaseMirrorName(version, architecture, name);
    return {
      reference: text,
      aliases: [mirrorName],
      requiredBy: by,
      wanted: (need?.roles ?? (['release'] as const)).flatMap((role) =>
        reasons.map((requiredBy) => ({ reference: text, role, requiredBy, mirrorName })),
      ),
    };
  });
  const requiredBy = `release ${version}`;
  const mirrorName = releaseMirrorName(version, architecture);
  const release: Candidate = {
    reference: image,
    aliases: [mirrorName],
    requiredBy: ['release-image.service', 'the cluster-version operator'],
    wanted: (['release', 'bootstrap'] as const).map((role) => ({
      reference: image,
      role,
      requiredBy,
      mirrorName,
    })),
  };
  return [release, ...components];
}

function filtered(
  candidates: readonly Candidate[],
  imageSet: ImageSet,
  options: ImageSetOptions,
  warnings: string[],
): Pick<ImageSetImages, 'wanted' | 'ignored'> {
  const blocked = imageSet.blockedImages.map(({ name, place }) => ({ name, line: place.line ?? 0 }));
  const filters = [...blockedImageFilters(blocked, imageSet.file), ...(options.filters ?? [])];
  if (filters.length === 0) return { wanted: candidates.flatMap(({ wanted }) => wanted), ignored: [] };
  const impact = filterImpact(candidates, filters);
  if (options.forceFilter !== true) assertFiltersHarmless(impact);
  for (const { text, where } of impact.unused)
    warnings.push(`the filter "${text}" (${where}) matches no image`);
  for (const { image, filter } of impact.shared) {
    warnings.push(
      `${image.reference} matches "${filter.text}" and is kept: it is also wanted under another name`,
    );
  }
  if (impact.dropped.length > 0) {
    const forced =
      impact.breaking.length > 0 ? `, ${impact.breaking.length} of them needed by the install` : '';
    warnings.push(`filters drop ${impact.dropped.length} of ${candidates.length} images${forced}`);
  }
  return {
    wanted: impact.kept.flatMap(({ wanted }) => wanted),
    // Without the place of the filter: where a file lies is no part of what was resolved.
    ignored: impact.dropped.map(({ image: { reference, aliases }, filter }) => ({
      reference,
      ...(aliases[0] === undefined ? {} : { mirrorName: aliases[0] }),
      reason: `matches "${filter.text}"`,
    })),
  };
}

/** Half an image set is no image set: what it asks for and nobody fetches would be missing at the site. */
function refuseUnsupported({ file, platform, helm, samples }: ImageSet): void {
  const parts = [
    ...(platform.graph === undefined
      ? []
      : [{ what: 'the update graph image', place: platform.graph.place }]),
    ...(platform.kubeVirtContainer === undefined
      ? []
      : [{ what: 'the KubeVirt container', place: platform.kubeVirtContainer.place }]),
    ...helm.map(({ name, place }) => ({ what: `the Helm chart ${name}`, place })),
    ...samples.map(({ name, place }) => ({ what: `the sample image ${name}`, place })),
  ];
  if (parts.length === 0) return;
  const lines = parts.map(({ what, place }) => `  ${place.file}:${place.line}:${place.col} ${what}`);
  throw new EdgefabError(`${file} asks for what edgefab does not support:\n${lines.join('\n')}`, {
    code: 'IMAGESET_UNSUPPORTED',
    suggestions: ['Name the images these stand for under mirror.additionalImages'],
    place: { file },
    faults: parts.map(({ what, place }) => ({ place, message: `${what} is not supported` })),
  });
}
