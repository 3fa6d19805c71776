import { z } from 'zod';
import { EdgefabError } from '../../errors.ts';
import type { Iso9660, ReadAt } from '../../formats/iso9660.ts';

// coreos-installer reads these with one-character strings; the areas are bytes, so ASCII is all that can work.
const AREA_CHARACTER = z.string().regex(/^[\0-\x7f]$/, 'want one ASCII character');
const OFFSET = z.number().int().nonnegative().max(Number.MAX_SAFE_INTEGER);

/** /coreos/igninfo.json: the file that holds the Ignition area, all of it unless offset and length say less. */
const IGNINFO = z.object({ file: z.string().min(1), offset: OFFSET.optional(), length: OFFSET.optional() });

/** /coreos/kargs.json: default arguments, size of each copy, where the copies are in their files. */
const KARGS = z.object({
  default: z.string(),
  files: z
    .array(
      z.object({
        path: z.string().min(1),
        offset: OFFSET,
        pad: AREA_CHARACTER.optional(),
        end: AREA_CHARACTER.optional(),
      }),
    )
    .min(1)
    .max(64),
  size: OFFSET,
});

/** /coreos/features.json; directives have been both flags and, for one key, absent. */
const FEATURES = z.object({
  'installer-config': z.boolean().default(false),
  'installer-config-directives': z.record(z.boolean()).default({}),
  'live-initrd-network': z.boolean().default(false),
});

export type IgnInfo = z.infer<typeof IGNINFO>;
export type KargsInfo = z.infer<typeof KARGS>;
export type FeaturesInfo = z.infer<typeof FEATURES>;

/** Where to read: the volume to look names up in, the bytes below it, and the image's name for messages. */
export interface ImageReader {
  readonly path: string;
  readonly volume: Iso9660;
  readonly readAt: ReadAt;
}

const MAX_JSON_BYTES = 64 * 1024;

async function readJson<T>(
  image: ImageReader,
  file: string,
  schema: z.ZodType<T, z.ZodTypeDef, unknown>,
): Promise<T | undefined> {
  const found = await image.volume.findFile(file);
  if (found === undefined) return undefined;
  const broken = (problem: string, cause?: unknown) =>
    new EdgefabError(`/${file} in ${image.path} is not what a CoreOS live ISO has: ${problem}`, {
      code: 'ISO_INVALID',
      place: { file: image.path },
      cause,
    });
  if (found.sizeBytes > MAX_JSON_BYTES) {
    throw broken(`it has ${found.sizeBytes} bytes, want at most ${MAX_JSON_BYTES}`);
  }
  const bytes = await image.readAt(found.offset, found.sizeBytes);
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw broken('it is not JSON', cause);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(
    (issue) => `${issue.path.join('.') || 'document'}: ${issue.message}`,
  );
  throw broken(issues.join('; '), parsed.error);
}

/** Reads /coreos/igninfo.json; undefined when the image has none. Throws ISO_INVALID. */
export function readIgnInfo(image: ImageReader): Promise<IgnInfo | undefined> {
  return readJson(image, 'coreos/igninfo.json', IGNINFO);
}

/** Reads /coreos/kargs.json; undefined when the image has none. Throws ISO_INVALID. */
export function readKargsInfo(image: ImageReader): Promise<KargsInfo | undefined> {
  return readJson(image, 'coreos/kargs.json', KARGS);
}

/** Reads /coreos/features.json; undefined when the image has none. Throws ISO_INVALID. */
export function readFeaturesInfo(image: ImageReader): Promise<FeaturesInfo | undefined> {
  return readJson(image, 'coreos/features.json', FEATURES);
}
