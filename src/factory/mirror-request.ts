import { loadIgnition } from '../boot/ignition/load-ignition.ts';
import { releaseImage } from '../boot/ignition/release-image.ts';
import { EdgefabError } from '../errors.ts';
import type { ImageSet } from '../mirror/imageset/image-set.ts';
import { parseImageSet } from '../mirror/imageset/parse.ts';
import { imageSetWants } from '../mirror/imageset/wants.ts';
import type { WantedImage } from '../mirror/resolve/resolve.ts';
import { storePaths } from '../mirror/store/store-paths.ts';
import { digestOf } from '../oci/digest.ts';
import { formatReference } from '../oci/reference.ts';
import type { Factory } from './factory.ts';
import { readText } from './read-text.ts';
import type { LockRequest } from './resolve-lock.ts';

/** What to mirror and where to. `authfile` is the factory's pull secret, when it is a file. */
export interface MirrorRequest extends LockRequest {
  readonly lockPath: string;
  readonly folder: string;
  readonly authfile?: string;
}

type ImageSetPart = Pick<LockRequest, 'wanted' | 'imageSet' | 'release'>;

/** Reads what `precache IMAGESET --folder DIR` is to do; the lock is kept in the cache itself. */
export async function imageSetRequest(file: string, folder: string, arch: string): Promise<MirrorRequest> {
  return { ...(await readImageSet(file)), arch, lockPath: storePaths.lock(folder), folder };
}

/** Reads what a factory is to mirror: its image set, its release image, and the releases its Ignitions name. */
export async function factoryRequest(factory: Factory): Promise<MirrorRequest> {
  if (factory.imageSet === undefined) {
    throw new EdgefabError(`${factory.file} has no imageSet: what is the cache to hold?`, {
      code: 'FACTORY_INVALID',
      suggestions: ['Add a line like imageSet: imageset.yaml'],
      place: { file: factory.file, field: 'imageSet' },
    });
  }
  const part = await readImageSet(factory.imageSet);
  const wanted = [...part.wanted];
  const { release, registry, pullSecret } = factory;
  const image = release.image === undefined ? undefined : formatReference(release.image);
  if (image !== undefined)
    wanted.push({ reference: image, role: 'release', requiredBy: 'release.image of the factory' });
  if (registry.image !== undefined) {
    const reference = formatReference(registry.image);
    wanted.push({ reference, role: 'tool', requiredBy: 'registry.image of the factory' });
  }
  for (const { name, ignition } of factory.sites) {
    if (ignition === undefined) continue;
    const reference = releaseImage(await loadIgnition(ignition));
    wanted.push({ reference, role: 'bootstrap', requiredBy: `the Ignition of site ${name}` });
  }
  const { version } = release;
  return {
    ...part,
    wanted,
    arch: release.arch,
    ...(image === undefined ? {} : { release: { image, ...(version === undefined ? {} : { version }) } }),
    lockPath: factory.paths.lock,
    folder: factory.paths.cache,
    ...(pullSecret !== undefined && 'file' in pullSecret ? { authfile: pullSecret.file } : {}),
  };
}

async function readImageSet(file: string): Promise<ImageSetPart> {
  const text = await readText(file);
  const set = parseImageSet(text, file);
  const wants = imageSetWants(set);
  refuseUnsupported(set, wants.unsupported);
  const release = set.platform.release;
  return {
    wanted: wants.images.map(
      ({ reference, role, place }): WantedImage => ({
        reference: formatReference(reference),
        role,
        requiredBy: `${place.field ?? 'a line'} of the image set`,
      }),
    ),
    imageSet: digestOf(new TextEncoder().encode(text)),
    ...(release === undefined ? {} : { release: { image: formatReference(release.reference) } }),
  };
}

/** Half an image set is no image set: a cache without the operators asked for would fail at the site. */
function refuseUnsupported(set: ImageSet, parts: ReturnType<typeof imageSetWants>['unsupported']): void {
  if (parts.length === 0) return;
  const lines = parts.map(({ what, place }) => `  ${place.file}:${place.line}:${place.col} ${what}`);
  throw new EdgefabError(`${set.file} asks for what this version cannot resolve yet:\n${lines.join('\n')}`, {
    code: 'IMAGESET_UNSUPPORTED',
    suggestions: ['Name images outright: mirror.platform.release and mirror.additionalImages'],
    place: { file: set.file },
    faults: parts.map(({ what, place }) => ({ place, message: `${what} cannot be resolved yet` })),
  });
}
