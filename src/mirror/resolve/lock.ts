import { createHash } from 'node:crypto';
import { z } from 'zod/v4';
import { blockYaml } from '../../formats/block-yaml.ts';
import { parseCheckedYaml } from '../../formats/checked-yaml.ts';
import { type Digest, isDigest } from '../../oci/digest.ts';

/** Why an image is in the cache; one image may have several roles. */
export const IMAGE_ROLES = ['bootstrap', 'release', 'os', 'operator', 'additional', 'tool'] as const;
export type ImageRole = (typeof IMAGE_ROLES)[number];

/** Checks a digest in a file edgefab wrote. */
export const digestSchema = z
  .custom<Digest>((value) => typeof value === 'string' && isDigest(value), {
    error: 'want sha256: and 64 lower-case hex characters',
  })
  // A JSON Schema cannot hold the check itself.
  .meta({ type: 'string', pattern: '^sha256:[0-9a-f]{64}$' });
const sizeBytes = z.number().int().nonnegative();

const lockedBlob = z.strictObject({ digest: digestSchema, sizeBytes });

const lockedImage = z.strictObject({
  source: z.string(),
  tag: z.string().optional(),
  mirrorNames: z.array(z.string()).optional(),
  digest: digestSchema,
  archDigest: digestSchema,
  mediaType: z.string(),
  sizeBytes,
  blobs: z.array(lockedBlob),
  roles: z.array(z.enum(IMAGE_ROLES)).min(1),
  requiredBy: z.array(z.string()),
  signatures: z.array(digestSchema).optional(),
});

const ignoredImage = z.strictObject({
  reference: z.string(),
  mirrorName: z.string().optional(),
  reason: z.string(),
});

export const lockSchema = z.strictObject({
  apiVersion: z.literal('edgefab.io/v1'),
  kind: z.literal('Lock'),
  arch: z.string(),
  inputs: z.strictObject({ imageSet: z.string(), wanted: z.string(), ignition: z.string().optional() }),
  release: z
    .strictObject({ version: z.string().optional(), image: z.string(), digest: digestSchema })
    .optional(),
  images: z.array(lockedImage),
  ignored: z.array(ignoredImage).optional(),
});

/** A config or layer of an image, as it is stored (compressed); sizes in bytes. */
export type LockedBlob = Readonly<z.infer<typeof lockedBlob>>;

/**
 * One image a site must hold. `source` is HOST/PATH, `digest` what it is pulled by (a list's digest when it
 * was a list), `archDigest` the manifest of the wanted architecture; equal when there was no list. `mirrorNames`
 * are the REPOSITORY:TAG under which a mirror knows the components of a release. `sizeBytes` is the sum over `blobs`, manifests not counted.
 */
export type LockedImage = Readonly<
  Omit<z.infer<typeof lockedImage>, 'mirrorNames' | 'blobs' | 'roles' | 'requiredBy'>
> & {
  readonly mirrorNames?: readonly string[] | undefined;
  readonly blobs: readonly LockedBlob[];
  readonly roles: readonly ImageRole[];
  readonly requiredBy: readonly string[];
};

/** An image that the image set stands for and a filter or `blockedImages` dropped. Nobody asked the registry for it. */
export type IgnoredImage = Readonly<z.infer<typeof ignoredImage>>;

/** What a build is pinned to; `edgefab.lock` on disk (CONTRACTS: edgefab.lock). */
export interface Lock {
  readonly arch: string;
  readonly inputs: {
    readonly imageSet: string;
    readonly wanted: string;
    readonly ignition?: string | undefined;
  };
  readonly release?:
    | { readonly version?: string | undefined; readonly image: string; readonly digest: Digest }
    | undefined;
  readonly images: readonly LockedImage[];
  /** Absent where nothing was dropped, and in locks of before there were filters. */
  readonly ignored?: readonly IgnoredImage[] | undefined;
}

/** Reads a lock; `where` is its path for messages. Throws LOCK_INVALID with every fault found. */
export function parseLock(text: string, where: string): Lock {
  const { value } = parseCheckedYaml(text, { file: where, code: 'LOCK_INVALID', schema: lockSchema });
  const { arch, inputs, release, images, ignored } = value;
  return { arch, inputs, release, images, ...(ignored === undefined ? {} : { ignored }) };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Writes a lock: images sorted by source, then digest, keys in one order, so that the same lock has the same bytes. */
export function formatLock(value: Lock): string {
  const known = lockTexts.get(value) ?? lockText(value);
  lockTexts.set(value, known);
  return known;
}

/** A lock is written, named and compared by its text, which for thousands of images takes half a second to make. */
const lockTexts = new WeakMap<Lock, string>();

function lockText(value: Lock): string {
  const images = [...value.images]
    .sort((a, b) => compare(a.source, b.source) || compare(a.digest, b.digest))
    .map((image) => ({
      source: image.source,
      ...(image.tag === undefined ? {} : { tag: image.tag }),
      ...(image.mirrorNames === undefined ? {} : { mirrorNames: [...image.mirrorNames].sort(compare) }),
      digest: image.digest,
      archDigest: image.archDigest,
      mediaType: image.mediaType,
      sizeBytes: image.sizeBytes,
      blobs: image.blobs.map((blob) => ({ digest: blob.digest, sizeBytes: blob.sizeBytes })),
      roles: IMAGE_ROLES.filter((role) => image.roles.includes(role)),
      requiredBy: [...image.requiredBy].sort(compare),
      ...(image.signatures === undefined ? {} : { signatures: [...image.signatures].sort(compare) }),
    }));
  const ignored = [...(value.ignored ?? [])]
    .sort((a, b) => compare(a.reference, b.reference) || compare(a.mirrorName ?? '', b.mirrorName ?? ''))
    .map(({ reference, mirrorName, reason }) => ({
      reference,
      ...(mirrorName === undefined ? {} : { mirrorName }),
      reason,
    }));
  const { imageSet, wanted, ignition } = value.inputs;
  const document = {
    apiVersion: 'edgefab.io/v1',
    kind: 'Lock',
    arch: value.arch,
    inputs: { imageSet, wanted, ...(ignition === undefined ? {} : { ignition }) },
    ...(value.release === undefined
      ? {}
      : {
          release: {
            ...(value.release.version === undefined ? {} : { version: value.release.version }),
            image: value.release.image,
            digest: value.release.digest,
          },
        }),
  };
  const end = ignored.length === 0 ? '' : blockYaml({ ignored });
  if (images.length === 0) return blockYaml({ ...document, images }) + end;
  // One image at a time: one whose texts need the library costs no other its speed.
  const items = images.map((image) => blockYaml({ images: [image] }).slice(IMAGES_KEY.length));
  return [blockYaml(document), IMAGES_KEY, ...items, end].join('');
}

const IMAGES_KEY = 'images:\n';

/** The sha256 of a lock's canonical text, by which caches and build ids name it. */
export function lockId(value: Lock): Digest {
  return `sha256:${createHash('sha256').update(formatLock(value)).digest('hex')}` as Digest;
}
