import { bootstrapImageNames } from '../boot/ignition/image-names.ts';
import { loadIgnition } from '../boot/ignition/load-ignition.ts';
import { releaseImage } from '../boot/ignition/release-image.ts';
import { EdgefabError } from '../errors.ts';
import type { ImageSet } from '../mirror/imageset/image-set.ts';
import { parseImageSet } from '../mirror/imageset/parse.ts';
import type { WantedImage } from '../mirror/resolve/resolve.ts';
import { type ImageFilter, parseFilterFile } from '../mirror/resolve/roles/image-filter.ts';
import type { BootstrapImage } from '../mirror/resolve/roles/payload-roles.ts';
import { storePaths } from '../mirror/store/store-paths.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import { formatReference, type ImageReference, parseReference } from '../oci/reference.ts';
import type { Factory } from './factory.ts';
import { readText } from './read-text.ts';
import { registryTool } from './registry-image.ts';

/** Everything a lock depends on, and where it is kept. `arch` is a machine name: x86_64, aarch64, … */
export interface LockRequest {
  /** The one of the file, and one for each release that only the factory or an Ignition names. */
  readonly imageSets: readonly ImageSet[];
  /** sha256 of the image set file's bytes. */
  readonly imageSet: Digest;
  readonly tools: readonly WantedImage[];
  /** What the sites' Ignitions ask for by name; undefined where there is no ready Ignition. */
  readonly bootstrap?: readonly BootstrapImage[];
  readonly filters: readonly ImageFilter[];
  readonly forceFilter: boolean;
  readonly arch: string;
  readonly lockPath: string;
}

/** What to mirror and where to. `authfile` is the factory's pull secret, when it is a file. */
export interface MirrorRequest extends LockRequest {
  readonly folder: string;
  readonly authfile?: string;
}

export interface RequestOptions {
  /** A filter file as telco-ran-tools reads it. */
  readonly filter?: string;
  readonly forceFilter: boolean;
  /** Image of the registry on the machine, where no factory names one; a role of its own in the lock. */
  readonly registryImage?: string;
}

/** Reads what an image set file without a factory is to be resolved to. */
export async function lockRequest(
  file: string,
  lockPath: string,
  arch: string,
  filter: RequestOptions,
): Promise<LockRequest> {
  const { imageSet, digest } = await readImageSet(file);
  return {
    imageSets: [imageSet],
    imageSet: digest,
    tools: namedTool(filter.registryImage),
    ...(await readFilters(filter)),
    arch,
    lockPath,
  };
}

function namedTool(image: string | undefined): LockRequest['tools'] {
  if (image === undefined) return [];
  const reference = formatReference(parseReference(image));
  return [{ reference, role: 'tool', requiredBy: 'the registry on the machine (--registry-image)' }];
}

/** Reads what `precache IMAGESET --folder DIR` is to do; the lock is kept in the cache itself. */
export async function imageSetRequest(
  file: string,
  folder: string,
  arch: string,
  filter: RequestOptions,
): Promise<MirrorRequest> {
  return { ...(await lockRequest(file, storePaths.lock(folder), arch, filter)), folder };
}

/** Reads what a factory is to mirror: its image set, its release, and the releases its Ignitions name. */
export async function factoryRequest(factory: Factory, filter: RequestOptions): Promise<MirrorRequest> {
  if (factory.imageSet === undefined) {
    throw new EdgefabError(`${factory.file} has no imageSet: what is the cache to hold?`, {
      code: 'FACTORY_INVALID',
      suggestions: ['Add a line like imageSet: imageset.yaml'],
      place: { file: factory.file, field: 'imageSet' },
    });
  }
  const { imageSet, digest } = await readImageSet(factory.imageSet);
  const { release, pullSecret } = factory;
  const pinned = new Map<string, ImageReference>();
  if (release.image !== undefined) pinned.set(formatReference(release.image), release.image);
  const bootstrap: BootstrapImage[] = [];
  for (const site of factory.sites) {
    if (site.ignition === undefined) continue;
    const ignition = await loadIgnition(site.ignition);
    const image = releaseImage(ignition);
    pinned.set(image, parseReference(image));
    bootstrap.push(...bootstrapImageNames(ignition));
  }
  const own = imageSet.platform.release;
  if (own !== undefined) pinned.delete(formatReference(own.reference));
  const { version, channel } = release;
  const hasPlatform = own !== undefined || imageSet.platform.channels.length > 0 || pinned.size > 0;
  const place = { file: factory.file, field: 'release' };
  const fromChannel =
    hasPlatform || version === undefined || channel === undefined
      ? []
      : [
          {
            name: channel,
            type: 'ocp' as const,
            minVersion: version,
            maxVersion: version,
            shortestPath: false,
            full: false,
            place,
          },
        ];
  const platforms: ImageSet['platform'][] = [
    ...[...pinned.values()].map((reference) => ({
      release: { reference, place },
      channels: [],
      architectures: [],
    })),
    ...(fromChannel.length === 0 ? [] : [{ channels: fromChannel, architectures: [] }]),
  ];
  return {
    imageSets: [imageSet, ...platforms.map((platform) => platformOnly(imageSet, factory.file, platform))],
    imageSet: digest,
    tools: registryTool(factory),
    ...(bootstrap.length === 0 ? {} : { bootstrap }),
    ...(await readFilters(filter)),
    arch: release.arch,
    lockPath: factory.paths.lock,
    folder: factory.paths.cache,
    ...(pullSecret !== undefined && 'file' in pullSecret ? { authfile: pullSecret.file } : {}),
  };
}

/** A release that the factory names, not its image set; what that blocks is blocked here too. */
function platformOnly({ blockedImages }: ImageSet, file: string, platform: ImageSet['platform']): ImageSet {
  const rest = { operators: [], additionalImages: [], blockedImages, helm: [], samples: [], ignored: [] };
  return { apiVersion: 'mirror.openshift.io/v2alpha1', file, platform, ...rest };
}

/** Reads an image set file and the sha256 of its bytes. */
export async function readImageSet(file: string): Promise<{ imageSet: ImageSet; digest: Digest }> {
  const text = await readText(file);
  return { imageSet: parseImageSet(text, file), digest: digestOf(Buffer.from(text)) };
}

async function readFilters({
  filter,
  forceFilter,
}: RequestOptions): Promise<Pick<LockRequest, 'filters' | 'forceFilter'>> {
  return {
    filters: filter === undefined ? [] : parseFilterFile(await readText(filter), filter),
    forceFilter,
  };
}
